import { graphemes } from '../../formatting/emoji.ts'

export interface NickInput {
  /** As the person writes it; may be empty or in any script. */
  readonly displayName: string
  /** Used where the display name leaves nothing that IRC can show. */
  readonly localpart: string
  /** NICKLEN of the server; at least 4. https://modern.ircdocs.horse/#nicklen-parameter */
  readonly nickLength: number
  /** Kept at the end whatever is cut, such as `[m]`. */
  readonly suffix?: string
}

/**
 * A nick for a person, legal on every server: ASCII letters, digits and `-_[]\`^{}|`, not beginning with a digit or
 * hyphen, at most `nickLength` long, never one that poses as a service (`…Serv`). Falls back to the localpart, then to
 * a hash of it. Deterministic; linear.
 */
export function nickOf(input: NickInput): string {
  return fit(baseOf(input), '', suffixOf(input), input.nickLength)
}

/** The legal form of the first name that has one, of any length, without suffix. */
function baseOf({ displayName, localpart }: NickInput): string {
  for (const source of [withoutAside(displayName), displayName, localpart]) {
    const nick = legalNick(source)
    if (/[a-z]/i.test(nick)) return nick
  }
  return `u${hashOf(localpart)}`
}

/**
 * Nicks to try in order while the server answers that one is taken: the nick itself, with underscores, with numbers,
 * at last with a hash of the person's localpart. All differ; about 15 of them.
 */
export function* nickCandidates(input: NickInput): Generator<string> {
  const suffix = suffixOf(input)
  const base = baseOf(input)
  const seen = new Set<string>()
  const hash = hashOf(input.localpart)
  const tails = [
    '',
    '_',
    '__',
    ...[2, 3, 4, 5, 6, 7, 8, 9].map(String),
    hash.slice(0, 3),
    hash.slice(0, 5),
    hash,
  ]
  for (const tail of tails) {
    const nick = fit(base, tail, suffix, input.nickLength)
    if (seen.has(nick)) continue
    seen.add(nick)
    yield nick
  }
}

function suffixOf({ suffix = '', nickLength }: NickInput): string {
  const legal = suffix.replace(/[^\w[\]\\`^{}|-]/g, '')
  return legal.length > nickLength - 3 ? '' : legal
}

/** `base` cut so that tail and suffix fit; separators left dangling by the cut go. */
function fit(base: string, tail: string, suffix: string, nickLength: number): string {
  const end = tail.slice(0, nickLength - suffix.length - 1)
  const room = nickLength - end.length - suffix.length
  const cut = base.length > room ? base.slice(0, room).replace(/[_-]{1,9}$/, '') || base.slice(0, room) : base
  const nick = cut + end + suffix
  // Services are NickServ, ChanServ, …: people trust such nicks with their passwords.
  return /serv$/i.test(nick) ? `${nick.slice(0, Math.max(1, nickLength - 1))}_` : nick
}

/** Without what people append to their names: pronouns in brackets, ` | place`. */
function withoutAside(name: string): string {
  const end = name.search(/ [([|/@]/)
  return end > 0 ? name.slice(0, end) : name
}

function legalNick(name: string): string {
  const ascii = transliterate(name.slice(0, 256))
  const legal = ascii
    .replace(/[\s.,:;/+&]+/g, '_')
    .replace(/[^\w[\]\\`^{}|-]/g, '')
    .replace(/_{2,}/g, '_')
    .replace(/^[_-]+/, '')
    .replace(/[_-]+$/, '')
  return /^\d/.test(legal) ? `_${legal}` : legal
}

/** Letters whose plain form Unicode does not know, and the scripts many of our communities write. */
const LETTERS: ReadonlyMap<string, string> = new Map(
  pairs('ß ss æ ae ø o œ oe đ d ð d þ th ł l ħ h ı i ŋ ng ĸ k ŧ t ə e ǝ e').concat(
    pairs(
      'а a б b в v г g ґ g д d ђ dj е e є ie ж zh з z и i і i ј j к k л l љ lj м m н n њ nj о o п p р r с s',
    ),
    pairs(
      'т t ћ c у u ф f х kh ц ts ч ch џ dz ш sh щ shch ъ * ы y ь * э e ю yu я ya ө o ү u қ q ғ g ң ng һ h',
    ),
    pairs(
      'α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch ψ ps ω o',
    ),
  ),
)

function pairs(list: string): [string, string][] {
  const words = list.split(' ')
  return words.flatMap((word, at): [string, string][] =>
    at % 2 === 0 ? [[word, words[at + 1] === '*' ? '' : (words[at + 1] as string)]] : [],
  )
}

function transliterate(text: string): string {
  let out = ''
  for (const grapheme of graphemes(text)) {
    for (const char of grapheme.normalize('NFKD')) {
      const small = char.toLowerCase()
      const latin = LETTERS.get(small)
      if (latin === undefined) out += char
      else out += small === char ? latin : capitalized(latin)
    }
  }
  return out
}

function capitalized(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

/** Seven base-36 digits of 32-bit FNV-1a: to tell people apart, not to hide them. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(36).padStart(7, '0')
}
