resource "aws_s3_bucket" "build_source" {
  count = local.is_bundled ? 1 : 0

  bucket        = local.build_source_bucket
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "build_source" {
  count = local.is_bundled ? 1 : 0

  bucket                  = aws_s3_bucket.build_source[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "build_source" {
  count = local.is_bundled ? 1 : 0

  bucket = aws_s3_bucket.build_source[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# A zip without a root folder, as CodeBuild expects.
resource "aws_s3_object" "build_source" {
  count = local.is_bundled ? 1 : 0

  bucket       = aws_s3_bucket.build_source[0].id
  key          = "function.zip"
  source       = "${path.module}/function.zip"
  source_hash  = filemd5("${path.module}/function.zip")
  content_type = "application/zip"
}
