locals {
  log_group          = "/aws/lambda/${var.stem}-function"
  source_bucket      = "${var.stem}-source"
  destination_bucket = "${var.stem}-destination"
}

resource "aws_iam_policy" "function" {
  name        = "${var.stem}-function-policy"
  description = "Permissions of the thumbnail function"

  policy = templatefile("${var.policies}/function-policy.json", {
    Region            = var.region
    AccountId         = var.account
    FunctionLogGroup  = local.log_group
    SourceBucket      = local.source_bucket
    DestinationBucket = local.destination_bucket
  })
}

resource "aws_iam_role" "function" {
  name               = "${var.stem}-function-role"
  description        = "Assumed by Lambda for the thumbnail function"
  assume_role_policy = file("${var.policies}/function-trust.json")
}

resource "aws_iam_role_policy_attachment" "function" {
  role       = aws_iam_role.function.name
  policy_arn = aws_iam_policy.function.arn
}
