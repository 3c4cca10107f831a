package words

import (
	"maps"
	"strings"
)

// pseudoLetters are accented ones that can still be read.
var pseudoLetters = strings.NewReplacer(
	"a", "á", "b", "ƀ", "c", "ç", "d", "ð", "e", "é", "f", "ƒ", "g", "ĝ", "h", "ĥ", "i", "í", "j", "ĵ", "k", "ķ", "l", "ļ", "m", "ɱ",
	"n", "ñ", "o", "ó", "p", "þ", "q", "ʠ", "r", "ŕ", "s", "š", "t", "ţ", "u", "ú", "v", "ṽ", "w", "ŵ", "x", "ẋ", "y", "ý", "z", "ž",
	"A", "Á", "B", "Ɓ", "C", "Ç", "D", "Ð", "E", "É", "F", "Ƒ", "G", "Ĝ", "H", "Ĥ", "I", "Í", "J", "Ĵ", "K", "Ķ", "L", "Ļ", "M", "Ṁ",
	"N", "Ñ", "O", "Ó", "P", "Þ", "Q", "Ǫ", "R", "Ŕ", "S", "Š", "T", "Ţ", "U", "Ú", "V", "Ṽ", "W", "Ŵ", "X", "Ẋ", "Y", "Ý", "Z", "Ž",
)

// Pseudo returns c in no language: every letter has an accent, and every text
// is longer by a third, as German is. What a page shows without accents is not
// from the catalogue.
func (c *Catalogue) Pseudo() *Catalogue {
	p := &Catalogue{Language: c.Language, Locale: c.Locale, Dir: c.Dir, Messages: maps.Clone(c.Messages)}
	for code, s := range c.parsed {
		p.Messages[code] = s.pseudo().String()
	}
	if err := p.compile(); err != nil {
		panic(err) // it has the form of c
	}
	return p
}

func (s sentence) pseudo() sentence {
	changed := sentence{selectors: s.selectors}
	for _, v := range s.variants {
		w := variant{keys: v.keys}
		letters := 0
		for _, p := range v.pattern {
			letters += len(strings.TrimSpace(p.text))
			w.pattern = append(w.pattern, part{pseudoLetters.Replace(p.text), p.variable, p.function})
		}
		if letters > 0 {
			w.pattern = append(w.pattern, part{text: strings.Repeat("~", (letters+2)/3)})
		}
		changed.variants = append(changed.variants, w)
	}
	return changed
}

// String writes s as a message.
func (s sentence) String() string {
	var b strings.Builder
	for _, sel := range s.selectors {
		b.WriteString(".input {$" + sel.variable + " :" + sel.function + "}\n")
	}
	for i, sel := range s.selectors {
		if i == 0 {
			b.WriteString(".match")
		}
		b.WriteString(" $" + sel.variable)
	}
	for _, v := range s.variants {
		if len(s.selectors) > 0 {
			b.WriteString("\n" + strings.Join(v.keys, " ") + " {{")
		}
		for _, p := range v.pattern {
			switch {
			case p.variable == "":
				b.WriteString(escape.Replace(p.text))
			case p.function == "":
				b.WriteString("{$" + p.variable + "}")
			default:
				b.WriteString("{$" + p.variable + " :" + p.function + "}")
			}
		}
		if len(s.selectors) > 0 {
			b.WriteString("}}")
		}
	}
	return b.String()
}

var escape = strings.NewReplacer(`\`, `\\`, `{`, `\{`, `}`, `\}`)
