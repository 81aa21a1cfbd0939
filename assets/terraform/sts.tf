data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  stem    = "${var.prefix}-${var.suffix}"

  # The names in the policies. Names, not references, so that no policy waits for its resources.
  repository          = local.stem
  build_source_bucket = "${local.stem}-build-source"
  build_log_group     = "/aws/codebuild/${local.stem}-build"
  image_tag           = "latest"
  is_bundled          = var.source_url == ""
}
