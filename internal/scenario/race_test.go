//go:build race

package scenario_test

// mostMemory is more under the race detector, which lets pools forget: of
// regular expressions each use then allocates its state anew.
const mostMemory = 4 << 30
