package propdiff

import "strings"

// parsePatterns cuts "spec.ports[*].name" into steps; "*" stands for every index.
func parsePatterns(patterns []string) [][]string {
	parsed := make([][]string, 0, len(patterns))
	for _, pattern := range patterns {
		parsed = append(parsed, strings.Split(strings.ReplaceAll(pattern, "[*]", ".*"), "."))
	}
	return parsed
}

// isPinned reports whether a change at path touches a pinned path: the change is at it, below it, or
// above it with a value that contains it.
func (w *walker) isPinned(path []any, value any) bool {
	for _, pattern := range w.pinned {
		if touches(pattern, path, value) {
			return true
		}
	}
	return false
}

func touches(pattern []string, path []any, value any) bool {
	for i, step := range path {
		if i == len(pattern) {
			return true
		}
		if !stepMatches(pattern[i], step) {
			return false
		}
	}
	return contains(pattern[min(len(path), len(pattern)):], value)
}

func stepMatches(pattern string, step any) bool {
	key, isKey := step.(string)
	if isKey {
		return pattern == key
	}
	return pattern == "*"
}

func contains(pattern []string, value any) bool {
	if len(pattern) == 0 {
		return true
	}
	switch value := value.(type) {
	case map[string]any:
		inner, found := value[pattern[0]]
		return found && contains(pattern[1:], inner)
	case []any:
		for _, item := range value {
			if pattern[0] == "*" && contains(pattern[1:], item) {
				return true
			}
		}
	}
	return false
}
