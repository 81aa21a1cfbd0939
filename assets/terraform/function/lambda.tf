# Lambda would create it at the first invocation, with no retention limit, and leave it undeleted.
resource "aws_cloudwatch_log_group" "function" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "thumbnails" {
  function_name = "${var.stem}-function"
  description   = "Creates a thumbnail of every image in the source bucket"
  role          = aws_iam_role.function.arn
  package_type  = "Image"
  image_uri     = var.image_uri
  architectures = [var.architecture]
  memory_size   = var.memory_size
  timeout       = var.timeout

  environment {
    variables = {
      DEST_BUCKET = local.destination_bucket
      MAX_SIZE    = tostring(var.max_size)
    }
  }

  depends_on = [
    aws_cloudwatch_log_group.function,
    aws_iam_role_policy_attachment.function,
  ]
}

# The bucket's ARN could be a reference: here a notification is a resource of its own, so there is no cycle.
resource "aws_lambda_permission" "source" {
  statement_id   = "s3-invoke"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.thumbnails.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = "arn:aws:s3:::${local.source_bucket}"
  source_account = var.account
}
