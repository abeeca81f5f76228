package schema

import "fmt"

// Statements that need a name in their text. Names are plain identifiers or
// come quoted from the server's catalogs.

// CreateDatabase creates a scratch database. template0: whatever somebody left
// in template1 must not show up in a plan.
func CreateDatabase(name string) string {
	return fmt.Sprintf(`CREATE DATABASE %s TEMPLATE template0`, name)
}

// DropDatabase drops a scratch database with all its connections.
func DropDatabase(name string) string {
	return fmt.Sprintf(`DROP DATABASE IF EXISTS %s WITH (FORCE)`, name)
}

// DropView drops views together, so that they may depend on each other.
func DropView(names string) string { return fmt.Sprintf(`DROP VIEW %s`, names) }

// DropRoutine drops a function or procedure, named with its argument types.
func DropRoutine(signature string) string { return fmt.Sprintf(`DROP ROUTINE %s`, signature) }

// SetStorageParameter sets a storage parameter of a table.
func SetStorageParameter(table, parameter, value string) string {
	return fmt.Sprintf(`ALTER TABLE %s SET (%s = %s)`, table, parameter, value)
}

// ResetStorageParameter gives a storage parameter of a table its default.
func ResetStorageParameter(table, parameter string) string {
	return fmt.Sprintf(`ALTER TABLE %s RESET (%s)`, table, parameter)
}
