terraform {
  # Import blocks, by which thumbctl takes up what an interrupted apply has left, came with 1.5.
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.40"
    }
  }
}

# Who we are is the environment's to say: AWS_PROFILE, AWS_ACCESS_KEY_ID and the like. No credentials belong in here.
provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == "" ? null : [var.account_id]

  # Bucket names in front of an endpoint's own name would take a name server that plays along.
  s3_use_path_style = var.endpoint_url != ""

  dynamic "endpoints" {
    for_each = var.endpoint_url == "" ? [] : [var.endpoint_url]

    content {
      codebuild = endpoints.value
      ecr       = endpoints.value
      iam       = endpoints.value
      lambda    = endpoints.value
      logs      = endpoints.value
      s3        = endpoints.value
      sts       = endpoints.value
    }
  }

  default_tags {
    tags = {
      "thumbctl:deployment" = var.prefix
      "thumbctl:strategy"   = "terraform"
      "thumbctl:region"     = var.region
    }
  }
}
