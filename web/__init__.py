"""What any page or API needs and no app owns: errors, pages, permissions, filters, serving of files, allowed paths."""
