resource "aws_s3_bucket" "all" {
  for_each = toset(["build-source", "source", "destination"])

  bucket        = "${local.stem}-${each.key}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "all" {
  for_each = aws_s3_bucket.all

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = !local.again
}

resource "aws_s3_bucket_server_side_encryption_configuration" "all" {
  for_each = aws_s3_bucket.all

  bucket = each.value.id

  rule {
    bucket_key_enabled = local.again

    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "build_source" {
  bucket = aws_s3_bucket.all["build-source"].id

  versioning_configuration {
    status = local.again ? "Suspended" : "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "source" {
  bucket = aws_s3_bucket.all["source"].id

  rule {
    object_ownership = local.again ? "BucketOwnerPreferred" : "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "only_encrypted" {
  statement {
    sid       = local.again ? "NothingInTheClear" : "OnlyEncrypted"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.all["destination"].arn, "${aws_s3_bucket.all["destination"].arn}/unsafe/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceVpc"
      values   = ["vpc-00000000"]
    }
  }
}

resource "aws_s3_bucket_policy" "destination" {
  bucket = aws_s3_bucket.all["destination"].id
  policy = data.aws_iam_policy_document.only_encrypted.json

  # Two changes of one bucket at a time are refused by S3.
  depends_on = [aws_s3_bucket_public_access_block.all]
}

resource "aws_s3_object" "build_source" {
  bucket = aws_s3_bucket_versioning.build_source.bucket
  key    = "function.zip"
  source = var.source_archive
  etag   = filemd5(var.source_archive)
}

resource "aws_s3_object" "note" {
  bucket       = aws_s3_bucket.all["source"].id
  key          = "notes/read me.txt"
  content      = local.again ? "Images go in here, in peace." : "Images go in here."
  content_type = "text/plain"

  metadata = {
    round = var.round
  }
}
