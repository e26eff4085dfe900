/**
 * What a reader takes for the same letter although it is written otherwise: points and accents above letters, vowel points
 * of Hebrew and Arabic, the Devanagari nukta, lengthening strokes, and characters that show nothing (joiners, soft hyphens,
 * variation selectors). The marks of the other Indic scripts, of Thai and of kana are letters of their own and stay.
 */
const IGNORED = new RegExp(
  '[\u00AD\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u0640\u064B-\u065F' +
    '\u0670\u06D6-\u06DC\u06DF-\u06E8\u06EA-\u06ED\u0711\u0730-\u074A\u08D3-\u08FF\u093C\u1AB0-\u1AFF\u1DC0-\u1DFF' +
    '\u200B-\u200F\u2060-\u2064\u20D0-\u20F0\uFE00-\uFE0F\uFE20-\uFE2F\uFEFF\u{E0100}-\u{E01EF}]',
  'gu',
)

/** Letters that Unicode does not decompose, and what people type who lack the key; after lower-casing. */
const REPLACED = new Map([
  ['ς', 'σ'],
  ['æ', 'ae'],
  ['œ', 'oe'],
  ['ø', 'o'],
  ['đ', 'd'],
  ['ð', 'd'],
  ['ħ', 'h'],
  ['ł', 'l'],
  ['þ', 'th'],
  // Persian and Urdu keyboards, and the two spellings of a word's end in Arabic
  ['ی', 'ي'],
  ['ى', 'ي'],
  ['ک', 'ك'],
  ['ة', 'ه'],
])
const REPLACED_LETTERS = new RegExp(`[${[...REPLACED.keys()].join('')}]`, 'gu')

// oxlint-disable-next-line no-control-regex -- the range of ASCII begins with controls
const ASCII = /^[\0-\x7F]*$/

/**
 * The text with all forms of a letter made one: compatibility forms (ﬁ, ｆ), case (also ß, ı, İ), accents. Two texts that
 * fold to the same are the same for a search. It depends on Unicode's properties alone, on no dictionary and no locale, so
 * that an index and the words sought in it years later agree.
 */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  return (
    text
      .normalize('NFKD')
      .replace(IGNORED, '')
      // there and back: upper case alone makes ß and ss, ı and i one, and lower case alone ẞ and ß
      .toLowerCase()
      .toUpperCase()
      .toLowerCase()
      .normalize('NFKD')
      .replace(IGNORED, '')
      .replace(REPLACED_LETTERS, (letter) => REPLACED.get(letter) ?? letter)
      .normalize('NFKC')
  )
}
