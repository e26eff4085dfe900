/** What a check found out, in a sentence. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail'
  readonly text: string
  /** What to do about it, line by line. */
  readonly advice?: readonly string[]
}

export const ok = (text: string): Finding => ({ level: 'ok', text })
export const warn = (text: string): Finding => ({ level: 'warn', text })
export const fail = (text: string, advice?: readonly string[]): Finding => ({
  level: 'fail',
  text,
  ...(advice === undefined ? {} : { advice }),
})
