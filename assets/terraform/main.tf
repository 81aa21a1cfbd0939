# The second half, which needs the image built by the first. With `stage = "build"` it is not created.
module "function" {
  source = "./function"
  count  = var.stage == "all" ? 1 : 0

  stem               = local.stem
  region             = var.region
  account            = local.account
  policies           = "${path.module}/policies"
  image_uri          = "${aws_ecr_repository.function.repository_url}@${data.aws_ecr_image.function[0].image_digest}"
  architecture       = var.architecture
  memory_size        = var.memory_size
  timeout            = var.timeout
  max_size           = var.max_size
  log_retention_days = var.log_retention_days
}
