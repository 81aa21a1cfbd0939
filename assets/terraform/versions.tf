terraform {
  # Import blocks, with which thumbctl recovers an interrupted apply, need 1.5.
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.40"
    }
  }
}

# Credentials come from the environment: AWS_PROFILE, AWS_ACCESS_KEY_ID and the like. Do not write them here.
provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == "" ? null : [var.account_id]

  # The endpoint comes from AWS_ENDPOINT_URL: with an `endpoints` block the provider needs seconds at each start.
  # Virtual-host bucket names would need name resolution at the endpoint.
  s3_use_path_style = var.endpoint_url != ""

  default_tags {
    tags = {
      "thumbctl:deployment" = var.prefix
      "thumbctl:strategy"   = "terraform"
      "thumbctl:region"     = var.region
    }
  }
}
