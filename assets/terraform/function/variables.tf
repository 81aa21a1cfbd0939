variable "stem" {
  description = "Prefix and suffix: what all names begin with"
  type        = string
}

variable "region" {
  description = "Where everything is made"
  type        = string
}

variable "account" {
  description = "The account's number"
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
  description = "The processor that the function runs on"
  type        = string
}

variable "memory_size" {
  description = "The function's memory in MB"
  type        = number
}

variable "timeout" {
  description = "How many seconds one image may take"
  type        = number
}

variable "max_size" {
  description = "The longer side of a thumbnail in pixels"
  type        = number
}

variable "log_retention_days" {
  description = "How many days the function's log is kept"
  type        = number
}
