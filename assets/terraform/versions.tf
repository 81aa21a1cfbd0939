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

  # The endpoint itself comes from AWS_ENDPOINT_URL: for an `endpoints` block the provider takes seconds at each start.
  # Bucket names in front of an endpoint's own name would take a name server that plays along.
  s3_use_path_style = var.endpoint_url != ""

  default_tags {
    tags = {
      "thumbctl:deployment" = var.prefix
      "thumbctl:strategy"   = "terraform"
      "thumbctl:region"     = var.region
    }
  }
}
