package api

import (
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// exactJSON is Connect's JSON, but for one thing: a field that a message does not
// have is refused. Connect passes over it, and a wish that is misspelt would be
// carried out without it.
type exactJSON struct{ name string }

// exactly reads requests in JSON to the letter, under both names that JSON has.
func exactly() connect.HandlerOption {
	return connect.WithHandlerOptions(connect.WithCodec(exactJSON{"json"}), connect.WithCodec(exactJSON{"json; charset=utf-8"}))
}

// Name is what Content-Type ends with.
func (c exactJSON) Name() string { return c.name }

// Marshal writes an answer.
func (exactJSON) Marshal(message any) ([]byte, error) {
	return exactJSON{}.MarshalAppend(nil, message)
}

// MarshalAppend writes an answer behind others.
func (exactJSON) MarshalAppend(to []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", message)
	}
	return protojson.MarshalOptions{}.MarshalAppend(to, m)
}

// Unmarshal reads a request.
func (exactJSON) Unmarshal(text []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", message)
	}
	if len(text) == 0 {
		return fmt.Errorf("empty: an empty %s is {}", m.ProtoReflect().Descriptor().Name())
	}
	if err := protojson.Unmarshal(text, m); err != nil {
		return fmt.Errorf("read %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}
