/** What becomes of an EDU: taken in, or left out because it is malformed, not the sender's to say, or too much. */
export type EduOutcome = 'taken' | 'malformed' | 'refused' | 'unknown'

/** What other servers have sent since the start, by type; types that nobody knows are one. */
export interface EduTally {
  count(type: string, outcome: EduOutcome, n?: number): void
  figures(): readonly { readonly type: string; readonly outcome: EduOutcome; readonly n: number }[]
}

export function createEduTally(): EduTally {
  const counts = new Map<string, { type: string; outcome: EduOutcome; n: number }>()
  return {
    count(type, outcome, n = 1) {
      if (n === 0) return
      const key = `${type} ${outcome}`
      const held = counts.get(key)
      if (held === undefined) counts.set(key, { type, outcome, n })
      else held.n += n
    },
    figures: () => [...counts.values()],
  }
}
