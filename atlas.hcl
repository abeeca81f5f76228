// For the atlas CLI, which can take turns with `tcda migrate` on one database:
//
//   atlas migrate apply --env local
//
// The CLI compares fewer kinds of objects than `make migrate-new` does (no
// views, functions, grants, partitions): plan with make, apply with either.

variable "url" {
  type    = string
  default = getenv("TEST_COORDINATOR_ADAPTER_POSTGRES_URL")
}

env "local" {
  url = var.url
  dev = "docker://postgres/17/dev"
  src = "file://schema/schema.sql"

  // The database is shared: other schemas are none of our business.
  schemas = ["test_coordination"]

  migration {
    dir              = "file://schema/migrations"
    revisions_schema = "test_coordination"
  }

  diff {
    skip {
      drop_schema = true
    }
  }
}
