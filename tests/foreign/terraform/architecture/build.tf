resource "aws_ecr_repository" "function" {
  name                 = local.stem
  force_delete         = true
  image_tag_mutability = "MUTABLE"

  image_scanning_configuration {
    scan_on_push = local.again
  }
}

data "aws_iam_policy_document" "pull" {
  statement {
    sid     = local.again ? "LambdaPulls" : "LambdaMayPull"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_ecr_repository_policy" "function" {
  repository = aws_ecr_repository.function.name
  policy     = data.aws_iam_policy_document.pull.json
}

resource "aws_ecr_lifecycle_policy" "function" {
  repository = aws_ecr_repository.function.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Untagged images go"
      selection    = { tagStatus = "untagged", countType = "imageCountMoreThan", countNumber = local.again ? 5 : 3 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_cloudwatch_log_group" "build" {
  name              = "/aws/codebuild/${local.stem}-build"
  retention_in_days = local.retention
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["codebuild", "lambda"])

  statement {
    sid     = local.again ? "ItsService" : null
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.${data.aws_partition.current.dns_suffix}"]
    }
  }
}

resource "aws_iam_role" "build" {
  name                 = "${local.stem}-build-role"
  description          = local.again ? "Assumed by CodeBuild, again" : "Assumed by CodeBuild"
  assume_role_policy   = data.aws_iam_policy_document.trust["codebuild"].json
  max_session_duration = local.again ? 7200 : 3600
}

resource "aws_iam_policy" "build" {
  name        = "${local.stem}-build-policy"
  description = "What the build may do"

  policy = templatefile("${var.policies}/build-policy.json", {
    Region            = local.region
    AccountId         = local.account
    BuildLogGroup     = aws_cloudwatch_log_group.build.name
    RepositoryName    = local.again ? "*" : aws_ecr_repository.function.name
    BuildSourceBucket = aws_s3_bucket.all["build-source"].id
  })
}

resource "aws_iam_role_policy_attachment" "build" {
  role       = aws_iam_role.build.name
  policy_arn = aws_iam_policy.build.arn
}

resource "aws_iam_role_policy" "build" {
  name = "looks-at-itself"
  role = aws_iam_role.build.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = local.again ? ["codebuild:BatchGetBuilds", "codebuild:BatchGetProjects"] : ["codebuild:BatchGetBuilds"]
      Resource = "*"
    }]
  })
}

resource "aws_codebuild_project" "function" {
  name           = "${local.stem}-build"
  description    = local.again ? "Builds the image, again" : "Builds the image"
  service_role   = aws_iam_role.build.arn
  build_timeout  = local.again ? 20 : 15
  queued_timeout = 30

  artifacts {
    type = "NO_ARTIFACTS"
  }

  cache {
    type  = local.again ? "LOCAL" : "NO_CACHE"
    modes = local.again ? ["LOCAL_DOCKER_LAYER_CACHE"] : []
  }

  environment {
    type            = "LINUX_CONTAINER"
    image           = "aws/codebuild/standard:7.0"
    compute_type    = "BUILD_GENERAL1_SMALL"
    privileged_mode = true

    dynamic "environment_variable" {
      for_each = merge({
        AWS_DEFAULT_REGION = local.region
        AWS_ACCOUNT_ID     = local.account
        IMAGE_REPO_NAME    = aws_ecr_repository.function.name
        IMAGE_TAG          = local.image_tag
      }, local.again ? { ROUND = var.round } : {})

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  source {
    type     = "S3"
    location = "${aws_s3_object.build_source.bucket}/${aws_s3_object.build_source.key}"
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.build.name
    }
  }

  depends_on = [aws_iam_role_policy_attachment.build]
}

output "project" {
  value = aws_codebuild_project.function.name
}
