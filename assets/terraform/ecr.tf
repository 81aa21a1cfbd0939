resource "aws_ecr_repository" "function" {
  name = local.repository

  # Otherwise it cannot be deleted while it has images.
  force_delete = true

  image_scanning_configuration {
    scan_on_push = false
  }
}

# Read after the build, for the digest: a tag can move.
data "aws_ecr_image" "function" {
  count = var.stage == "all" ? 1 : 0

  repository_name = local.repository
  image_tag       = local.image_tag

  depends_on = [terraform_data.build]
}
