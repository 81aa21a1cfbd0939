variable "stem" {
  description = "Prefix and suffix: the beginning of all names"
  type        = string
}

variable "region" {
  description = "The region of all resources"
  type        = string
}

variable "account" {
  description = "The account id"
  type        = string
}

variable "policies" {
  description = "The folder of the policy documents"
  type        = string
}

variable "image_uri" {
  description = "The function's image, by its digest"
  type        = string
}

variable "architecture" {
  description = "The processor architecture of the function"
  type        = string
}

variable "memory_size" {
  description = "The function's memory in MB"
  type        = number
}

variable "timeout" {
  description = "The function's timeout in seconds"
  type        = number
}

variable "max_size" {
  description = "The longer side of a thumbnail in pixels"
  type        = number
}

variable "log_retention_days" {
  description = "The retention of the function's log in days"
  type        = number
}
