variable "prefix" {
  description = "The prefix of all names"
  type        = string
  default     = "thumbs"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.prefix))
    error_message = "The prefix must have lower-case letters, digits and hyphens, at most 40, and begin with a letter."
  }
}

# A variable, not a random_id, so that no second provider is needed and names are known before the apply.
variable "suffix" {
  description = "Makes the names unique: bucket names are global in AWS"
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}$", var.suffix))
    error_message = "The suffix must have eight lower-case hexadecimal digits."
  }
}

variable "region" {
  description = "The region of all resources"
  type        = string
}

variable "account_id" {
  description = "The only allowed account; empty for any"
  type        = string
  default     = ""
}

variable "endpoint_url" {
  description = "The value of AWS_ENDPOINT_URL, if set: the sandbox's URL, for example"
  type        = string
  default     = ""
}

variable "stage" {
  description = "'build' for the image and the resources that build it; 'all' for the function, too"
  type        = string
  default     = "all"

  validation {
    condition     = contains(["build", "all"], var.stage)
    error_message = "The stage must be 'build' or 'all'."
  }
}

variable "builder" {
  description = "The program that runs a build and waits for its end: thumbctl"
  type        = string
  default     = "thumbctl"
}

variable "source_url" {
  description = "A GitHub repository with the function's source; empty for function.zip beside this file"
  type        = string
  default     = ""
}

variable "architecture" {
  description = "The processor architecture of the image and the function"
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture must be 'x86_64' or 'arm64'."
  }
}

variable "build_image" {
  description = "The build image"
  type        = string
  default     = "aws/codebuild/standard:8.0"
}

variable "compute_type" {
  description = "The compute type of builds"
  type        = string
  default     = "BUILD_GENERAL1_SMALL"
}

variable "build_timeout_minutes" {
  description = "The timeout of a build"
  type        = number
  default     = 15
}

variable "memory_size" {
  description = "The function's memory in MB"
  type        = number
  default     = 512
}

variable "timeout" {
  description = "The function's timeout in seconds"
  type        = number
  default     = 30
}

variable "max_size" {
  description = "The longer side of a thumbnail in pixels"
  type        = number
  default     = 256
}

variable "log_retention_days" {
  description = "The retention of logs in days"
  type        = number
  default     = 7
}
