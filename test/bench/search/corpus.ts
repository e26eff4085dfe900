/** A sequence that is the same in every run. */
export function createDice(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

const WORDS = 60_000
const SYLLABLES = [
  'ka',
  'lo',
  'mi',
  'ren',
  'ta',
  'su',
  'bo',
  'ne',
  'dir',
  'vo',
  'pal',
  'she',
  'gro',
  'ix',
  'um',
  'tel',
]
const CHARACTERS = 3_000

/** Words by their rank, as frequent as words of a language: the n-th a 1/n as often as the first. */
function zipf(dice: () => number, size: number): number {
  return Math.floor(Math.exp(dice() * Math.log(size))) - 1
}

function wordOf(rank: number): string {
  let word = ''
  for (let rest = rank + 17; rest > 0; rest = Math.floor(rest / SYLLABLES.length))
    word += SYLLABLES[rest % SYLLABLES.length]
  return word
}

/** A message of 2 to 24 words; one in ten is of 4 to 40 Chinese characters. */
export function inventMessage(dice: () => number): string {
  if (dice() < 0.1) {
    const length = 4 + Math.floor(dice() * 36)
    return Array.from({ length }, () => String.fromCodePoint(0x4e00 + zipf(dice, CHARACTERS))).join('')
  }
  const length = 2 + Math.floor(dice() ** 2 * 22)
  return Array.from({ length }, () => wordOf(zipf(dice, WORDS))).join(' ')
}

/** What somebody looks for: one to three words that stand in some message, common ones as often as they are used. */
export function inventQuery(dice: () => number): string {
  const message = inventMessage(dice)
  if (!message.includes(' ')) {
    const at = Math.floor(dice() * (message.length - 3))
    return message.slice(at, at + 2 + Math.floor(dice() * 2))
  }
  const words = message.split(' ')
  const wanted = 1 + Math.floor(dice() * 3)
  return Array.from({ length: wanted }, () => words[Math.floor(dice() * words.length)]).join(' ')
}
