package words

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"anteroom/node/desk/api"
)

// A sentence is a parsed message: patterns of which the arguments choose one.
type sentence struct {
	selectors []selector
	variants  []variant // the last one is for everything else; the only one if there are no selectors
}

type selector struct{ variable, function string }

type variant struct {
	keys    []string // one for each selector; "*" is any value, and "||" the empty text
	pattern []part
}

// A part is a text, or the place of an argument.
type part struct{ text, variable, function string }

// functions are those that a message may name.
var functions = map[string]bool{"": true, "number": true, "string": true, "list": true}

var (
	expression  = regexp.MustCompile(`^\s*\$([a-z][a-zA-Z0-9]*)(?:\s+:([a-z]+))?\s*\}`)
	input       = regexp.MustCompile(`^\.input\s*\{`)
	match       = regexp.MustCompile(`^\.match((?:\s+\$[a-z][a-zA-Z0-9]*)+)`)
	variantKeys = regexp.MustCompile(`^((?:(?:[a-z]+|\d+|\*|\|\|)\s+)*(?:[a-z]+|\d+|\*|\|\|))\s*\{\{`)
)

// parse reads one message.
func parse(text string) (sentence, error) {
	if !strings.HasPrefix(text, ".") {
		pattern, rest, err := parsePattern(text, false)
		if err == nil && rest != "" {
			err = fmt.Errorf("unexpected %q", rest)
		}
		return sentence{variants: []variant{{pattern: pattern}}}, err
	}
	declared := map[string]string{}
	rest := text
	for {
		rest = strings.TrimSpace(rest)
		found := input.FindString(rest)
		if found == "" {
			break
		}
		e := expression.FindStringSubmatch(rest[len(found):])
		if e == nil || e[2] == "" || !functions[e[2]] {
			return sentence{}, errors.New("an .input names a variable and a function")
		}
		declared[e[1]] = e[2]
		rest = rest[len(found)+len(e[0]):]
	}
	matched := match.FindStringSubmatch(rest)
	if matched == nil {
		return sentence{}, errors.New("a .match is missing")
	}
	var s sentence
	for name := range strings.FieldsSeq(matched[1]) {
		name = strings.TrimPrefix(name, "$")
		if declared[name] != "number" && declared[name] != "string" {
			return sentence{}, fmt.Errorf("$%s is matched, but is no .input with :number or :string", name)
		}
		s.selectors = append(s.selectors, selector{name, declared[name]})
	}
	for rest = strings.TrimSpace(rest[len(matched[0]):]); rest != ""; rest = strings.TrimSpace(rest) {
		keys := variantKeys.FindStringSubmatch(rest)
		if keys == nil {
			return sentence{}, fmt.Errorf("unexpected %q", rest)
		}
		v := variant{keys: strings.Fields(keys[1])}
		if len(v.keys) != len(s.selectors) {
			return sentence{}, fmt.Errorf("%d keys for %d variables", len(v.keys), len(s.selectors))
		}
		var err error
		if v.pattern, rest, err = parsePattern(rest[len(keys[0]):], true); err != nil {
			return sentence{}, err
		}
		s.variants = append(s.variants, v)
	}
	if len(s.variants) == 0 || strings.Trim(strings.Join(s.variants[len(s.variants)-1].keys, ""), "*") != "" {
		return sentence{}, errors.New("the last variant must be for everything else")
	}
	return s, nil
}

// parsePattern reads text and the places of arguments; one that is quoted ends
// behind its "}}".
func parsePattern(text string, quoted bool) (pattern []part, rest string, err error) {
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			pattern = append(pattern, part{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); {
		switch {
		case text[i] == '\\':
			if i+1 == len(text) || !strings.ContainsRune(`\{}|`, rune(text[i+1])) {
				return nil, "", errors.New(`a backslash stands before \, {, } or | only`)
			}
			literal.WriteByte(text[i+1])
			i += 2
		case quoted && strings.HasPrefix(text[i:], "}}"):
			flush()
			return pattern, text[i+2:], nil
		case text[i] == '}':
			return nil, "", errors.New("a } without its {")
		case text[i] == '{':
			e := expression.FindStringSubmatch(text[i+1:])
			if e == nil || !functions[e[2]] {
				return nil, "", fmt.Errorf("not an argument: %.20q", text[i:])
			}
			flush()
			pattern = append(pattern, part{variable: e[1], function: e[2]})
			i += 1 + len(e[0])
		default:
			literal.WriteByte(text[i])
			i++
		}
	}
	if quoted {
		return nil, "", errors.New("a }} is missing")
	}
	flush()
	return pattern, "", nil
}

// choose returns the pattern for args: of those variants whose keys match, the
// one whose first keys are the most exact, as MessageFormat 2 wants it.
func (s sentence) choose(c *Catalogue, args api.Args) []part {
	best, rank := s.variants[len(s.variants)-1], []int(nil)
	for _, v := range s.variants {
		if r := s.rank(c, v, args); r != nil && (rank == nil || less(r, rank)) {
			best, rank = v, r
		}
	}
	return best.pattern
}

// rank says how exactly each key of v matches: 0 the value itself, 1 its plural
// category, 2 anything; nil if one does not.
func (s sentence) rank(c *Catalogue, v variant, args api.Args) []int {
	rank := make([]int, 0, len(v.keys))
	for i, key := range v.keys {
		value := args[s.selectors[i].variable]
		n, isNumber := value.(int)
		isNumber = isNumber && s.selectors[i].function == "number"
		text, _ := value.(string)
		switch {
		case key == "*":
			rank = append(rank, 2)
		case isNumber && key == strconv.Itoa(n), s.selectors[i].function == "string" && strings.Trim(key, "|") == text:
			rank = append(rank, 0)
		case isNumber && key == c.category(n):
			rank = append(rank, 1)
		default:
			return nil
		}
	}
	return rank
}

func less(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
