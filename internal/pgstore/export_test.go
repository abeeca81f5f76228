package pgstore

// What the tests of reading errors must reach: that it is right for each error
// cannot be seen through the store's methods, which provoke only a few.
var (
	Interpret       = interpret
	InterpretCommit = interpretCommit
)

// DataConstraints are the names of the constraints whose violation is the fault
// of a record.
func DataConstraints() []string {
	var names []string
	for name := range dataConstraints {
		names = append(names, name)
	}
	return names
}

// Planning is how sessions of the store plan.
var Planning = planning
