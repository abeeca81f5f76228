package checker

import (
	"fmt"
	"iter"
)

// stream gives the rows of a table by execution id, ascending.
type stream struct {
	next func() (Row, error, bool)
	stop func()
	row  Row // the next one; nil at the end
	err  error
}

func newStream(rows iter.Seq2[Row, error]) *stream {
	s := &stream{}
	s.next, s.stop = iter.Pull2(rows)
	s.advance()
	return s
}

func (s *stream) advance() {
	before := ""
	if s.row != nil {
		before = s.row.text("execution_id")
	}
	row, err, ok := s.next()
	s.row = nil
	switch {
	case !ok:
	case err != nil:
		s.err = err
	case row.text("execution_id") < before:
		s.err = fmt.Errorf("rows are not in the order of their ids: %q comes after %q", row.text("execution_id"), before)
	default:
		s.row = row
	}
}

// head is the id of the next row.
func (s *stream) head() (string, bool) {
	if s.row == nil {
		return "", false
	}
	return s.row.text("execution_id"), true
}

// take gives the rows of an id that is not behind the head.
func (s *stream) take(id string) []Row {
	var rows []Row
	for s.row != nil && s.row.text("execution_id") == id {
		rows = append(rows, s.row)
		s.advance()
	}
	return rows
}
