resource "aws_ecr_repository" "function" {
  name = local.repository

  # Otherwise it stays as long as there is an image in it.
  force_delete = true

  image_scanning_configuration {
    scan_on_push = false
  }
}

# By its name, and behind the build: a tag says nothing of what it points at, a digest does.
data "aws_ecr_image" "function" {
  count = var.stage == "all" ? 1 : 0

  repository_name = local.repository
  image_tag       = local.image_tag

  depends_on = [terraform_data.build]
}
