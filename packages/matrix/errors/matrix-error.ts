import { ERRCODE_STATUS, type Errcode } from './errcodes.ts'
import type { JsonObject } from '../events/pdu.ts'

/**
 * A refusal on its way to the wire: errcode, HTTP status, and a sentence that says what to do.
 * https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
 */
export class MatrixError extends Error {
  readonly errcode: Errcode
  readonly status: number
  /** Further keys of the body, such as `retry_after_ms`, `soft_logout`, or the whole of a UIA answer. */
  readonly extra: JsonObject

  constructor(
    errcode: Errcode,
    message: string,
    options: { status?: number; extra?: JsonObject; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MatrixError'
    this.errcode = errcode
    this.status = options.status ?? ERRCODE_STATUS[errcode]
    this.extra = options.extra ?? {}
  }

  /** The body as it is sent. */
  toBody(): JsonObject {
    return { errcode: this.errcode, error: this.message, ...this.extra }
  }
}

export const forbidden = (message: string): MatrixError => new MatrixError('M_FORBIDDEN', message)
export const notFound = (message: string): MatrixError => new MatrixError('M_NOT_FOUND', message)
export const badJson = (message: string): MatrixError => new MatrixError('M_BAD_JSON', message)
export const invalidParam = (message: string): MatrixError => new MatrixError('M_INVALID_PARAM', message)
export const missingParam = (message: string): MatrixError => new MatrixError('M_MISSING_PARAM', message)
export const tooLarge = (message: string): MatrixError => new MatrixError('M_TOO_LARGE', message)
export const unrecognized = (message: string): MatrixError => new MatrixError('M_UNRECOGNIZED', message)
export const limitExceeded = (retryAfterMs: number): MatrixError =>
  new MatrixError('M_LIMIT_EXCEEDED', `Too many requests; try again in ${Math.ceil(retryAfterMs / 1000)} s`, {
    extra: { retry_after_ms: Math.ceil(retryAfterMs) },
  })
