# Everything of the architecture by its id, as terraform's state would have it: laid beside it by the test that has lost
# the state.

locals {
  buckets      = toset(["build-source", "source", "destination"])
  policies_arn = "arn:aws:iam::${local.account}:policy"
}

import {
  for_each = local.buckets
  to       = aws_s3_bucket.all[each.key]
  id       = "${local.stem}-${each.key}"
}

import {
  for_each = local.buckets
  to       = aws_s3_bucket_public_access_block.all[each.key]
  id       = "${local.stem}-${each.key}"
}

import {
  for_each = local.buckets
  to       = aws_s3_bucket_server_side_encryption_configuration.all[each.key]
  id       = "${local.stem}-${each.key}"
}

import {
  to = aws_s3_bucket_versioning.build_source
  id = "${local.stem}-build-source"
}

import {
  to = aws_s3_bucket_ownership_controls.source
  id = "${local.stem}-source"
}

import {
  to = aws_s3_bucket_policy.destination
  id = "${local.stem}-destination"
}
import {
  to = aws_s3_object.build_source
  id = "${local.stem}-build-source/function.zip"
}

import {
  to = aws_s3_object.note
  id = "s3://${local.stem}-source/notes/read me.txt"
}

import {
  to = aws_ecr_repository.function
  id = local.stem
}

import {
  to = aws_ecr_repository_policy.function
  id = local.stem
}

import {
  to = aws_ecr_lifecycle_policy.function
  id = local.stem
}

import {
  to = aws_cloudwatch_log_group.build
  id = "/aws/codebuild/${local.stem}-build"
}

import {
  to = aws_cloudwatch_log_group.function[0]
  id = "/aws/lambda/${local.stem}-function"
}

import {
  to = aws_iam_role.build
  id = "${local.stem}-build-role"
}

import {
  to = aws_iam_role.function[0]
  id = "${local.stem}-function-role"
}

import {
  to = aws_iam_policy.build
  id = "${local.policies_arn}/${local.stem}-build-policy"
}

import {
  to = aws_iam_policy.function[0]
  id = "${local.policies_arn}/thumbnails/${local.stem}-function-policy"
}

import {
  to = aws_iam_role_policy_attachment.build
  id = "${local.stem}-build-role/${local.policies_arn}/${local.stem}-build-policy"
}

import {
  to = aws_iam_role_policy_attachment.function[0]
  id = "${local.stem}-function-role/${local.policies_arn}/thumbnails/${local.stem}-function-policy"
}

import {
  to = aws_iam_role_policy.build
  id = "${local.stem}-build-role:looks-at-itself"
}

import {
  to = aws_codebuild_project.function
  id = "${local.stem}-build"
}

import {
  to = aws_lambda_function.thumbnails[0]
  id = "${local.stem}-function"
}

import {
  to = aws_lambda_permission.source[0]
  id = "${local.stem}-function/s3-invoke"
}

import {
  to = aws_s3_bucket_notification.source[0]
  id = "${local.stem}-source"
}
