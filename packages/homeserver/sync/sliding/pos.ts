import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { formatSyncToken, parseSyncToken, type SyncToken, type TokenEpochs } from '../token.ts'

/** Which answer of a connection a client has got last. */
export interface Pos {
  /** Of the connection's state after it. */
  readonly generation: number
  /** The answer's own number. */
  readonly answer: number
  readonly token: SyncToken
}

const FORM = /^(\d{1,15})\.(\d{1,15})\/(.{1,200})$/

/** The client begins anew, with a small window. */
export function unknownPos(): MatrixError {
  return new MatrixError('M_UNKNOWN_POS', 'This position is not known any more; start again without one')
}

export function formatPos({ generation, answer, token }: Pos, epochs: TokenEpochs): string {
  return `${generation}.${answer}/${formatSyncToken(token, epochs)}`
}

/** Throws `M_UNKNOWN_POS` for what this log has not handed out. */
export function parsePos(text: string, epochs: TokenEpochs): Pos {
  const match = FORM.exec(text)
  if (match === null) throw unknownPos()
  const token = tokenOf(match[3]!, epochs)
  if (token === undefined) throw unknownPos()
  return { generation: Number(match[1]), answer: Number(match[2]), token }
}

function tokenOf(text: string, epochs: TokenEpochs): SyncToken | undefined {
  try {
    return parseSyncToken(text, epochs)
  } catch {
    return undefined
  }
}
