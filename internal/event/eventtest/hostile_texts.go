package eventtest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// texts are flaws of bytes, of JSON, and of sizes.
func (h *hostiles) texts() {
	h.begin("nothing to read")
	h.refused(fact.ReasonEmpty, "empty value", kafkarecord.Record{Key: []byte("k"), Value: []byte{}})
	h.refused(fact.ReasonTombstone, "nil value", kafkarecord.Record{Key: []byte("k")})
	h.refused(fact.ReasonTombstone, "nil value without a key", kafkarecord.Record{})
	h.refused(fact.ReasonEmpty, "empty value of protobuf", Binary("", "content-type=application/protobuf"))
	h.refused(fact.ReasonJSON, "one space", Binary(" "))

	h.begin("not an object")
	for _, text := range []string{"null", "[]", `"x"`, "42", "-0", "true", `"{}"`} {
		h.refused(fact.ReasonNotObject, "value "+text, Binary(text))
		h.refused(fact.ReasonNotObject, "structured value "+text, kafkarecord.Record{Value: []byte(text)})
	}
	h.refused(fact.ReasonJSON, "undefined", Binary("undefined"))
	h.refused(fact.ReasonNotObject, "an array of the event", Binary(`[{"execution_id":"exec-1"}]`))

	h.begin("two documents")
	for name, behind := range inOrder(map[string]string{"an object": "{}", "a number": "1", "a comma": ",", "a comment": "//", "a brace": "}", "a separator": "\x1e{}"}) {
		r := h.beat("")
		r.Value = append(r.Value, behind...)
		h.refused(fact.ReasonJSON, "and behind it "+name, r)
	}
	h.refused(fact.ReasonJSON, "byte order mark before it", func() kafkarecord.Record {
		r := h.beat("")
		r.Value = append([]byte("\ufeff"), r.Value...)
		return r
	}())

	h.begin("duplicate keys")
	h.refused(fact.ReasonDuplicateKey, "in the envelope", h.whole(`"id":"other","data":{}`))
	h.refused(fact.ReasonDuplicateKey, "in the envelope by an escape", h.whole(`"\u0069d":"other","data":{}`))
	h.refused(fact.ReasonDuplicateKey, "data twice", h.whole(`"data":{},"data":{}`))
	h.refused(fact.ReasonDuplicateKey, "an extension twice", h.whole(`"x":1,"\u0078":1,"data":{}`))
	h.refused(fact.ReasonDuplicateKey, "at depth 5", h.beat(`"system_state":{"a":{"b":{"c":{"d":1,"d":1}}}}`))
	h.refused(fact.ReasonDuplicateKey, "by surrogates and raw", h.beat(`"system_state":{"😀":1,"\ud83d\ude00":1}`))
	h.refused(fact.ReasonDuplicateKey, "by the case of an escape", h.beat(`"system_state":{"\u00e9":1,"\u00E9":1}`))
	h.refused(fact.ReasonDuplicateKey, "empty names", h.beat(`"system_state":{"":1,"":2}`))
	h.refused(fact.ReasonDuplicateKey, "a label twice", h.event(fact.TypeRequested, `"scenario_id":"s","labels":{"a":"1","a":"2"}`))
	h.refused(fact.ReasonDuplicateKey, "a known field in camel case by an escape", h.beat(`"current_phase":"a","currentPh\u0061se":"a"`))
	h.accepted("names that only look alike", h.beat(`"system_state":{"a":1,"\u0430":2,"A":3,"\u00e1":4,"a\u0301":5}`))

	h.begin("not UTF-8")
	h.refused(fact.ReasonUTF8, "id of raw bytes", h.beat("", "ce_id=\xff\xfe"))
	h.refused(fact.ReasonUTF8, "raw bytes in the data's id", Binary("{\"execution_id\":\"\xff\xfe\"}"))
	h.refused(fact.ReasonUTF8, "a surrogate in CESU-8", h.beat("\"message\":\"\xed\xa0\x80\""))
	h.refused(fact.ReasonUTF8, "beyond U+10FFFF", h.beat("\"message\":\"\xf4\x90\x80\x80\""))
	h.refused(fact.ReasonUTF8, "cut in a character", h.beat("\"message\":\"\xe2\x82\""))
	h.refused(fact.ReasonUTF8, "two high surrogates", h.beat(`"message":"\ud83d\ud83d"`))
	h.refused(fact.ReasonUTF8, "name of a header", WithHeaders(h.beat(""), kafkarecord.Header{Key: "ce_\xff", Value: []byte("x")}))
	h.accepted("raw bytes in somebody's header and in the key", func() kafkarecord.Record {
		r := WithHeaders(h.beat(""), kafkarecord.Header{Key: "\xff\x00", Value: []byte("\x00\xff")})
		r.Key = []byte("\xff\x00")
		return r
	}())
	h.accepted("non-characters and the last one", h.beat(`"message":"\uffff\ufffe\ufdd0\udbff\udfff"`))

	h.begin("NUL")
	h.refused(fact.ReasonNUL, "escaped in an id", Binary(`{"execution_id":"a\u0000"}`))
	h.refused(fact.ReasonNUL, "in a log line", h.event(fact.TypeLogAppended, `"lines":[{"message":"\u0000"}]`))
	h.refused(fact.ReasonNUL, "in the name of an attribute of a line", h.event(fact.TypeLogAppended, `"lines":[{"message":"a","attributes":{"\u0000":1}}]`))
	h.refused(fact.ReasonNUL, "in a definition", h.data(fact.TypeScenarioPublished, `{"scenario_id":"`+h.id()+`","definition":"a\u0000"}`))
	h.refused(fact.ReasonNUL, "in a header", h.beat("", "ce_tenant=\x00"))
	h.refused(fact.ReasonNUL, "in the name of a header", WithHeaders(h.beat(""), kafkarecord.Header{Key: "ce_\x00", Value: []byte("x")}))
	h.refused(fact.ReasonNUL, "in the content type", h.beat("", "content-type=application/json\x00"))
	h.accepted("escaped twice", h.beat(`"message":"\\u0000"`))
	h.accepted("its picture", h.beat(`"message":"␀","system_state":{"\u0001\u001f\u007f\u0080":"\u2028\u2029\ufeff"}`))

	h.begin("nesting")
	deep := func(n int, open, end string) string { return strings.Repeat(open, n) + "1" + strings.Repeat(end, n) }
	h.refused(fact.ReasonDepth, "5,000 objects in data", h.beat(`"system_state":`+deep(5000, `{"a":`, "}")))
	h.refused(fact.ReasonDepth, "5,000 in an unknown field", h.beat(`"x":`+deep(5000, "[", "]")))
	h.refused(fact.ReasonDepth, "in an extension", h.whole(`"x":`+deep(40, `{"a":`, "}")+`,"data":{}`))
	h.refused(fact.ReasonDepth, "in attributes of a line", h.event(fact.TypeLogAppended, `"lines":[{"message":"a","attributes":{"a":`+deep(40, "[", "]")+`}}]`))
	h.refused(fact.ReasonDepth, "100,000 that never end", h.beat(`"system_state":`+strings.Repeat(`{"a":`, 100_000)))
	h.refused(fact.ReasonDepth, "100,000 in the envelope", h.whole(`"x":`+strings.Repeat("[", 100_000)))
	h.accepted("28 in the data", h.beat(`"system_state":{"a":`+deep(28, "[", "]")+`}`))

	h.begin("sizes")
	h.refused(fact.ReasonTooLarge, "3 MiB", h.beat(`"message":"`+strings.Repeat("x", 3<<20)+`"`))
	h.refused(fact.ReasonTooLarge, "3 MiB of key", func() kafkarecord.Record {
		r := h.beat("")
		r.Key = []byte(strings.Repeat("k", 3<<20))
		return r
	}())
	h.refused(fact.ReasonTooLarge, "an extension of 64 KiB and one byte", h.whole(`"x":"`+strings.Repeat("x", 64<<10+1)+`","data":{}`))
	h.refused(fact.ReasonHeaderLimit, "65 headers of somebody else", WithHeaders(h.beat(""), make([]kafkarecord.Header, 65)...))
	h.accepted("57 further headers of one name", WithHeaders(h.beat(""), make([]kafkarecord.Header, 57)...))
	var keys, many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, `"%x":0,`, i)
	}
	for i := range 3000 {
		fmt.Fprintf(&many, `"%x":"%x",`, i, i)
	}
	h.refused(fact.ReasonTokenLimit, "100,000 keys in one object", h.beat(`"system_state":{`+keys.String()+`"":0}`))
	h.refused(fact.ReasonTokenLimit, "300,000 empty arrays", h.beat(`"system_state":{"a":[`+strings.Repeat("[],", 300_000)+`0]}`))
	h.refused(fact.ReasonTokenLimit, "100,000 empty attributes", h.event(fact.TypeLogAppended, `"lines":[{"message":"a","attributes":{`+keys.String()+`"":0}}]`))
	h.accepted("3,000 labels", h.event(fact.TypeRequested, `"scenario_id":"s","labels":{`+many.String()+`"":""}`))
	line := `{"message":"x","attributes":{"a":{"b":[1,2,3]}}},`
	h.refused(fact.ReasonLimit, "1,001 lines", h.event(fact.TypeLogAppended, `"lines":[`+strings.Repeat(line, 1000)+`{"message":"x"}]`))
	h.refused(fact.ReasonSchema, "a line too few", h.event(fact.TypeLogAppended, `"lines":[]`))
	h.accepted("1,000 lines", h.event(fact.TypeLogAppended, `"lines":[`+strings.Repeat(line, 999)+`{"message":"x"}]`))

	h.begin("injection")
	h.refused(fact.ReasonID, "id as SQL", h.beat("", "ce_id=' OR 1=1;--"))
	h.refused(fact.ReasonID, "subject as HTML", h.beat("", "ce_subject=<script>"))
	h.refused(fact.ReasonID, "an id in the data as a path", h.event(fact.TypeFaultCleared, `"fault_id":"../../etc/passwd"`))
	h.refused(fact.ReasonID, "id that ends in a line break", h.beat("", "ce_id=a\n"))
	h.refused(fact.ReasonID, "id with a letter that looks like another", h.beat("", "ce_id=ехес-1"))
	h.refused(fact.ReasonID, "id written from right to left", h.beat("", "ce_id=a\u202eb"))
	h.refused(fact.ReasonID, "id with a letter of no width", h.beat("", "ce_id=a\u200bb"))
	h.refused(fact.ReasonSchema, "source with line breaks", h.beat("", "ce_source=/a\r\nx: y"))
	h.refused(fact.ReasonSchema, "source with letters that look like others", h.beat("", "ce_source=/coordinаtor"))
	for name, text := range inOrder(map[string]string{
		"forged log line":        "\n{\"level\":\"error\",\"message\":\"forged\"}\x1b[2J\r\x07",
		"SQL":                    "'; DROP TABLE executions; --",
		"formula":                `=HYPERLINK("http://x")`,
		"right to left":          "\u202e\u2066abc\u2069\u200b",
		"format verbs":           "%s%n%!d(string=x) {{.}} ${jndi:ldap://x} $1 \\x00",
		"HTML":                   "<script>alert(1)</script>&quot;",
		"bytes that look cut":    "\\u0000 \\ud800 \\",
		"letters with many dots": strings.Repeat("e\u0301\u0323", 10_000),
	}) {
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err) // a text can always be quoted
		}
		h.accepted("message: "+name, h.beat(`"message":`+string(quoted)+`,"system_state":{`+string(quoted)+`:`+string(quoted)+`}`))
		h.accepted("line: "+name, h.event(fact.TypeLogAppended, `"lines":[{"message":`+string(quoted)+`,"service":`+string(quoted)+`,"phase":`+string(quoted)+`}]`))
		h.accepted("attributes: "+name, WithHeaders(h.beat(""),
			kafkarecord.Header{Key: "ce_runid", Value: []byte(text[:min(len(text), 200)])}, kafkarecord.Header{Key: "ce_x", Value: []byte(text)}))
		h.refused(fact.ReasonSchema, "what is refused is quoted: "+name, h.event(fact.TypeFinished, `"outcome":`+string(quoted)))
	}
	h.refused(fact.ReasonNumber, "a name that is quoted", h.beat(`"\n{\"level\":\"error\"}\u001b[2J":1e999`))
	h.refused(fact.ReasonNumber, "a long name that is cut", h.beat(`"`+strings.Repeat("\\n", 60_000)+`":1e999`))
}
