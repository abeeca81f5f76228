//go:build !race

package scenario_test

// mostMemory is what reading one definition may allocate, garbage included.
const mostMemory = 200 << 20
