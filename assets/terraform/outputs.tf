output "repository_url" {
  description = "The repository of the image"
  value       = aws_ecr_repository.function.repository_url
}

output "build_project" {
  description = "The project that builds the image"
  value       = aws_codebuild_project.function.name
}

output "source_bucket" {
  description = "The bucket for images"
  value       = one(module.function[*].source_bucket)
}

output "destination_bucket" {
  description = "The bucket with the thumbnails"
  value       = one(module.function[*].destination_bucket)
}

output "function" {
  description = "The function"
  value       = one(module.function[*].function)
}
