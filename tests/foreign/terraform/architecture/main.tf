# The thumbnail creator as somebody would write it for AWS: nothing in it knows of the sandbox, which AWS_ENDPOINT_URL
# alone points at.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  default_tags {
    tags = {
      deployment = var.name
      round      = var.round
    }
  }
}

variable "name" {
  description = "What all names begin with"
  type        = string
}

variable "stage" {
  description = "'build' has all that an image needs to be made; 'run' has the function too, once there is one"
  type        = string

  validation {
    condition     = contains(["build", "run"], var.stage)
    error_message = "The stage is 'build' or 'run'."
  }
}

variable "round" {
  description = "Another value changes in place whatever can be changed in place"
  type        = number
  default     = 1
}

variable "policies" {
  description = "The directory of the policy documents"
  type        = string
}

variable "source_archive" {
  description = "The function's source, zipped"
  type        = string
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  again     = var.round > 1
  region    = data.aws_region.current.name
  account   = data.aws_caller_identity.current.account_id
  stem      = "${var.name}-tf"
  retention = local.again ? 14 : 7
  image_tag = "latest"
}
