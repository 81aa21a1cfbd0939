output "repository_url" {
  description = "Where the build pushes the image"
  value       = aws_ecr_repository.function.repository_url
}

output "build_project" {
  description = "The project whose build makes the image"
  value       = aws_codebuild_project.function.name
}

output "source_bucket" {
  description = "Put images here"
  value       = one(module.function[*].source_bucket)
}

output "destination_bucket" {
  description = "Thumbnails are written here"
  value       = one(module.function[*].destination_bucket)
}

output "function" {
  description = "The function in between"
  value       = one(module.function[*].function)
}
