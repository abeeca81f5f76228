package execution

import "time"

// Live is the small picture of a run that followers watch: what changes often
// or is looked at in lists, and no large JSON.
type Live struct {
	ExecutionID  ID
	Run          RunNumber
	RunID        string
	Version      int64 // of the stored row; rises with every committed change
	Status       Status
	ScenarioID   string
	Environment  string
	Coordinator  string
	Progress     *float64 // 0..1
	Message      string
	CurrentPhase string

	RequestedAt time.Time
	StartedAt   time.Time
	EndedAt     time.Time
	LastEventAt time.Time // the latest time that an accepted event of the run named
	Deadline    time.Time

	Events            int64 // accepted events of others
	LogLines          int64
	ValidationsPassed int32
	ValidationsFailed int32
	FaultsActive      int32 // injected and not cleared
}
