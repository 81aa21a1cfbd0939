locals {
  build_policy = jsondecode(templatefile("${path.module}/policies/build-policy.json", {
    Region            = var.region
    AccountId         = local.account
    BuildLogGroup     = local.build_log_group
    RepositoryName    = local.repository
    BuildSourceBucket = local.build_source_bucket
  }))

  # A source on GitHub needs no S3 permissions.
  of_bundle = ["ReadBuildSource", "FindBuildSource"]
}

resource "aws_iam_policy" "build" {
  name        = "${local.stem}-build-policy"
  description = "Permissions of the thumbnail function's build"

  policy = jsonencode({
    Version   = local.build_policy.Version
    Statement = [for one in local.build_policy.Statement : one if local.is_bundled || !contains(local.of_bundle, one.Sid)]
  })
}

resource "aws_iam_role" "build" {
  name               = "${local.stem}-build-role"
  description        = "Assumed by CodeBuild to build the thumbnail function"
  assume_role_policy = file("${path.module}/policies/build-trust.json")
}

resource "aws_iam_role_policy_attachment" "build" {
  role       = aws_iam_role.build.name
  policy_arn = aws_iam_policy.build.arn
}
