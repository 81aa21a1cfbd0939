locals {
  run = var.stage == "run" ? 1 : 0
}

data "aws_ecr_image" "function" {
  count = local.run

  # By its name, not by reference: so it is looked up while planning, whatever else is to change of the repository.
  repository_name = local.stem
  image_tag       = local.image_tag
}

resource "aws_cloudwatch_log_group" "function" {
  count = local.run

  name              = "/aws/lambda/${local.stem}-function"
  retention_in_days = local.retention
}

resource "aws_iam_role" "function" {
  count = local.run

  name               = "${local.stem}-function-role"
  path               = "/thumbnails/"
  assume_role_policy = data.aws_iam_policy_document.trust["lambda"].json
}

resource "aws_iam_policy" "function" {
  count = local.run

  name = "${local.stem}-function-policy"
  path = "/thumbnails/"

  policy = templatefile("${var.policies}/function-policy.json", {
    Region            = local.region
    AccountId         = local.account
    FunctionLogGroup  = aws_cloudwatch_log_group.function[0].name
    SourceBucket      = aws_s3_bucket.all["source"].id
    DestinationBucket = aws_s3_bucket.all["destination"].id
  })
}

resource "aws_iam_role_policy_attachment" "function" {
  count = local.run

  role       = aws_iam_role.function[0].name
  policy_arn = aws_iam_policy.function[0].arn
}

resource "aws_lambda_function" "thumbnails" {
  count = local.run

  function_name = "${local.stem}-function"
  description   = local.again ? "Makes thumbnails, again" : "Makes thumbnails"
  role          = aws_iam_role.function[0].arn
  package_type  = "Image"
  image_uri     = "${aws_ecr_repository.function.repository_url}@${data.aws_ecr_image.function[0].image_digest}"
  memory_size   = local.again ? 256 : 512
  timeout       = local.again ? 20 : 30

  environment {
    variables = merge(
      { DEST_BUCKET = aws_s3_bucket.all["destination"].id },
      local.again ? { ROUND = var.round } : {}
    )
  }

  depends_on = [aws_iam_role_policy_attachment.function, aws_ecr_repository_policy.function]
}

resource "aws_lambda_permission" "source" {
  count = local.run

  statement_id   = "s3-invoke"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.thumbnails[0].function_name
  principal      = "s3.${data.aws_partition.current.dns_suffix}"
  source_arn     = aws_s3_bucket.all["source"].arn
  source_account = local.account
}

resource "aws_s3_bucket_notification" "source" {
  count = local.run

  bucket = aws_s3_bucket.all["source"].id

  lambda_function {
    id                  = "thumbnails"
    lambda_function_arn = aws_lambda_function.thumbnails[0].arn
    events              = local.again ? ["s3:ObjectCreated:Put"] : ["s3:ObjectCreated:*"]
    filter_suffix       = local.again ? ".png" : null
  }

  depends_on = [aws_lambda_permission.source]
}

output "source_bucket" {
  value = aws_s3_bucket.all["source"].id
}

output "destination_bucket" {
  value = aws_s3_bucket.all["destination"].id
}
