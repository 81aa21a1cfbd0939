# CodeBuild would create it with no retention limit, and leave it undeleted.
resource "aws_cloudwatch_log_group" "build" {
  name              = local.build_log_group
  retention_in_days = var.log_retention_days
}

resource "aws_codebuild_project" "function" {
  name          = "${local.stem}-build"
  description   = "Builds the thumbnail function's image"
  service_role  = aws_iam_role.build.arn
  build_timeout = var.build_timeout_minutes

  # A build may run for 36 hours, but wait for a machine only 8.
  queued_timeout = min(var.build_timeout_minutes, 480)

  artifacts {
    type = "NO_ARTIFACTS"
  }

  environment {
    type                        = var.architecture == "arm64" ? "ARM_CONTAINER" : "LINUX_CONTAINER"
    image                       = var.build_image
    image_pull_credentials_type = "CODEBUILD"
    compute_type                = var.compute_type

    # Required by Docker inside a build.
    privileged_mode = true

    dynamic "environment_variable" {
      for_each = {
        AWS_DEFAULT_REGION = var.region
        AWS_ACCOUNT_ID     = local.account
        IMAGE_REPO_NAME    = local.repository
        IMAGE_TAG          = local.image_tag

        # Lambda rejects an image index, which attestations would create.
        BUILDX_NO_DEFAULT_ATTESTATIONS = "1"
      }

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  source {
    type            = local.is_bundled ? "S3" : "GITHUB"
    location        = local.is_bundled ? "${local.build_source_bucket}/function.zip" : var.source_url
    git_clone_depth = local.is_bundled ? null : 1
  }

  logs_config {
    cloudwatch_logs {
      group_name = local.build_log_group
    }
  }
}

# The build is not an AWS resource, but the function needs its image. It runs again when its source has changed, and
# when it failed: a resource with a failed provisioner is replaced.
resource "terraform_data" "build" {
  triggers_replace = [
    aws_codebuild_project.function.arn,
    local.is_bundled ? aws_s3_object.build_source[0].source_hash : var.source_url,
  ]

  provisioner "local-exec" {
    interpreter = [var.builder, "build-image"]
    command     = aws_codebuild_project.function.name

    environment = merge(
      { AWS_REGION = var.region },
      var.endpoint_url == "" ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
    )
  }

  # The resources that the build uses by name only.
  depends_on = [
    aws_cloudwatch_log_group.build,
    aws_ecr_repository.function,
    aws_iam_role_policy_attachment.build,
    aws_s3_object.build_source,
  ]
}
