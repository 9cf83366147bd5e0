package guard

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

const vectors = "../../tests/vectors/"

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestJSONIsStrictAndCanonical(t *testing.T) {
	var said struct {
		Accepted       []struct{ Name, Text, Canonical, S256 string }
		Refused_values []struct{ Name, Text string }
		Refused_texts  []struct{ Name, Hex string }
	}
	if err := json.Unmarshal(read(t, vectors+"canonical.json"), &said); err != nil {
		t.Fatal(err)
	}
	for _, each := range said.Accepted {
		value, err := parseJSON([]byte(each.Text))
		if err != nil || canonical(value) != each.Canonical || digest(value) != each.S256 {
			t.Errorf("%s: %v, %v", each.Name, canonical(value), err)
		}
	}
	for _, each := range said.Refused_values {
		if value, err := parseJSON([]byte(each.Text)); err == nil {
			t.Errorf("%s: %v", each.Name, value)
		}
	}
	for _, each := range said.Refused_texts {
		text, err := hex.DecodeString(each.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if value, err := parseJSON(text); err == nil {
			t.Errorf("%s: %v", each.Name, value)
		}
	}
	if len(said.Accepted) == 0 || len(said.Refused_values) == 0 || len(said.Refused_texts) == 0 {
		t.Error("there are no vectors")
	}
}

func TestJSONIsThatOfRFC8785(t *testing.T) {
	inputs, err := filepath.Glob(vectors + "jcs/input/*.json")
	if err != nil || len(inputs) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, input := range inputs {
		value, err := parseJSON(read(t, input))
		if want := string(read(t, vectors+"jcs/output/"+filepath.Base(input))); err != nil || canonical(value) != want {
			t.Errorf("%s: %s, %v", input, canonical(value), err)
		}
	}
}
