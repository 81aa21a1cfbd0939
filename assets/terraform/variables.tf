variable "prefix" {
  description = "What all names begin with"
  type        = string
  default     = "thumbs"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.prefix))
    error_message = "The prefix has lower-case letters, digits and hyphens, at most 40, and begins with a letter."
  }
}

# A variable, not a random_id: so no second provider is needed, and the names are known before anything is made.
variable "suffix" {
  description = "Makes the names your own: bucket names are shared by all of AWS"
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}$", var.suffix))
    error_message = "The suffix has eight lower-case hexadecimal digits."
  }
}

variable "region" {
  description = "Where everything is made"
  type        = string
}

variable "account_id" {
  description = "The only account in which anything may be made; empty for any"
  type        = string
  default     = ""
}

variable "endpoint_url" {
  description = "The value of AWS_ENDPOINT_URL, where that is set: the sandbox's URL, for example"
  type        = string
  default     = ""
}

variable "stage" {
  description = "'build' has all that the function's image needs to be made; 'all' has the function too"
  type        = string
  default     = "all"

  validation {
    condition     = contains(["build", "all"], var.stage)
    error_message = "The stage is 'build' or 'all'."
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
  description = "The processor that the image is built for, and that the function runs on"
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture is 'x86_64' or 'arm64'."
  }
}

variable "build_image" {
  description = "The image that builds run in"
  type        = string
  default     = "aws/codebuild/standard:8.0"
}

variable "compute_type" {
  description = "The machine that builds run on"
  type        = string
  default     = "BUILD_GENERAL1_SMALL"
}

variable "build_timeout_minutes" {
  description = "How long a build may take"
  type        = number
  default     = 15
}

variable "memory_size" {
  description = "The function's memory in MB"
  type        = number
  default     = 512
}

variable "timeout" {
  description = "How many seconds one image may take"
  type        = number
  default     = 30
}

variable "max_size" {
  description = "The longer side of a thumbnail in pixels"
  type        = number
  default     = 256
}

variable "log_retention_days" {
  description = "How many days logs are kept"
  type        = number
  default     = 7
}
