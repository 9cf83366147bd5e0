// A monitor of a record (PROTOCOL.md, LOG-3 to LOG-7) that shares nothing with deputize: notes, tiles and proofs are those of
// golang.org/x/mod/sumdb. `monitor ISSUER KEY FOLDER [RECEIPT…]` proves that the record continues the checkpoint that FOLDER has, that the
// entries of receipts are in it, and keeps the newest checkpoint. Its exit code is 1 where that is not so, and 2 where it cannot be known.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// broken says that a record is not what it was, or not what it says.
type broken struct{ error }

func isBroken(format string, values ...any) error { return broken{fmt.Errorf(format, values...)} }

func main() {
	log.SetFlags(0)
	if os.Args[1] == "paths" {
		paths(os.Args[2:])
		return
	}
	told, err := look(os.Args[1], os.Args[2], os.Args[3], os.Args[4:])
	switch {
	case errors.As(err, &broken{}):
		log.Print(err)
		os.Exit(1)
	case err != nil:
		log.Print(err)
		os.Exit(2)
	}
	fmt.Println(told)
}

// paths tells where tiles stand, of each `level number width`.
func paths(tiles []string) {
	for _, each := range tiles {
		tile := tlog.Tile{H: height}
		if _, err := fmt.Sscanf(each, "%d %d %d", &tile.L, &tile.N, &tile.W); err != nil {
			log.Fatal(err)
		}
		fmt.Println(where(tile))
	}
}

// where is the path of c2sp.org/tlog-tiles, which is that of the library without the height.
func where(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

// site is where a record is served.
type site string

func (s site) get(path string) ([]byte, error) {
	answer, err := http.Get(string(s) + "/log/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

func (s site) Height() int { return height }

func (s site) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if found[i], err = s.get(where(tile)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s site) SaveTiles([]tlog.Tile, [][]byte) {}

// opened reads a checkpoint (c2sp.org/tlog-checkpoint) that this key has signed.
func opened(text []byte, key note.Verifier) (tree tlog.Tree, err error) {
	signed, err := note.Open(text, note.VerifierList(key))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() || lines[3] != "" {
		return tree, errors.New("this note is no checkpoint of the record")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func look(issuer, vkey, folder string, receipts []string) (string, error) {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return "", err
	}
	text, err := site(issuer).get("checkpoint")
	if err != nil {
		return "", err
	}
	now, err := opened(text, key)
	if err != nil {
		return "", err
	}
	tiles := tlog.TileHashReader(now, site(issuer))
	kept, keptLeaves := filepath.Join(folder, "checkpoint"), filepath.Join(folder, "leaves")
	before := tlog.Tree{}
	if old, err := os.ReadFile(kept); err == nil {
		if before, err = opened(old, key); err != nil {
			return "", err
		}
	}
	leaves, err := readLeaves(now, tiles)
	if err != nil {
		return "", err
	}
	if err := continues(before, now, tiles, keptLeaves, leaves); err != nil {
		return "", err
	}
	proven := 0
	for _, path := range receipts {
		number, err := holds(path, key, now, tiles)
		if err != nil {
			return "", err
		}
		proven += number
	}
	if err := os.WriteFile(keptLeaves, leaves, 0o600); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d entries, %d of them new, %d proven", now.N, now.N-before.N, proven), os.WriteFile(kept, text, 0o600)
}

// readLeaves fetches the hashes of all leaves, which the library holds against the root.
func readLeaves(tree tlog.Tree, tiles tlog.HashReader) ([]byte, error) {
	indexes := make([]int64, tree.N)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	if tree.N == 0 {
		return nil, nil
	}
	hashes, err := tiles.ReadHashes(indexes)
	if err != nil {
		if strings.Contains(err.Error(), "inconsistent") {
			return nil, isBroken("its tiles are not those of its checkpoint: %v", err)
		}
		return nil, err
	}
	var leaves bytes.Buffer
	for _, hash := range hashes {
		leaves.Write(hash[:])
	}
	return leaves.Bytes(), nil
}

// continues proves that the record at `now` begins with what it was, and names the first entry that is another.
func continues(before, now tlog.Tree, tiles tlog.HashReader, kept string, leaves []byte) error {
	if before.N == 0 {
		return nil
	}
	if before.N <= now.N {
		proof, err := tlog.ProveTree(now.N, before.N, tiles)
		if err != nil {
			return err
		}
		if tlog.CheckTree(proof, now.N, now.Hash, before.N, before.Hash) == nil {
			return nil
		}
	}
	seen, err := os.ReadFile(kept)
	if err != nil {
		return err
	}
	for at := 0; at < len(seen) && at < len(leaves); at += tlog.HashSize {
		if !bytes.Equal(seen[at:at+tlog.HashSize], leaves[at:at+tlog.HashSize]) {
			return isBroken("entry %d is not what it was", at/tlog.HashSize)
		}
	}
	return isBroken("it had %d entries, and now has the first %d of them", before.N, now.N)
}

// holds proves that the entries of a receipt (LOG-5) are in the record: by the receipt's own proofs, and by the tiles.
func holds(path string, key note.Verifier, now tlog.Tree, tiles tlog.HashReader) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var receipt struct {
		Checkpoint string
		Entries    []struct {
			Index int64
			Leaf  string
			Proof []tlog.Hash
		}
	}
	if err := json.Unmarshal(text, &receipt); err != nil {
		return 0, err
	}
	then, err := opened([]byte(receipt.Checkpoint), key)
	if err != nil {
		return 0, err
	}
	for _, entry := range receipt.Entries {
		leaf := tlog.RecordHash([]byte(entry.Leaf))
		if err := tlog.CheckRecord(entry.Proof, then.N, then.Hash, entry.Index, leaf); err != nil {
			return 0, isBroken("entry %d is not in what its receipt names: %v", entry.Index, err)
		}
		if entry.Index >= now.N {
			return 0, isBroken("entry %d is not there", entry.Index)
		}
		proof, err := tlog.ProveRecord(now.N, entry.Index, tiles)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, now.N, now.Hash, entry.Index, leaf); err != nil {
			return 0, isBroken("entry %d is not what its receipt says: %v", entry.Index, err)
		}
	}
	return len(receipt.Entries), nil
}
