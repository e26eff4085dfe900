import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { BlobStoreFailed } from '@causeway/store/blobs/blob-store.ts'
import type { Random } from '@causeway/store/clock/clock.ts'
import type { Logger } from '../ops/log.ts'
import { HttpResponse } from './endpoint.ts'

/** What the translator needs: chance for incident ids, and a place to tell the cause. */
export interface ErrorDeps {
  readonly log: Logger
  readonly random: Pick<Random, 'token'>
}

function retryAfter(error: MatrixError): Record<string, string> | undefined {
  const ms = error.extra['retry_after_ms']
  return typeof ms === 'number' ? { 'retry-after': String(Math.ceil(ms / 1000)) } : undefined
}

/**
 * The one translator from anything thrown to an answer. A MatrixError is sent as it is; anything else is a
 * fault of ours: M_UNKNOWN with an incident id, by which the log line with the cause is found, and nothing more.
 */
export function toErrorResponse(error: unknown, operation: string, deps: ErrorDeps): HttpResponse {
  if (error instanceof MatrixError) {
    const headers = retryAfter(error)
    if (error.status >= 500) deps.log.warn('request failed', { operation, errcode: error.errcode, error })
    return new HttpResponse({
      status: error.status,
      body: error.toBody(),
      ...(headers === undefined ? {} : { headers }),
    })
  }
  if (error instanceof BlobStoreFailed) {
    deps.log.error('the store of media failed', { operation, error })
    const body = {
      errcode: 'M_UNKNOWN',
      error: 'The place where files are kept does not answer; try again later',
    }
    return new HttpResponse({ status: 503, body })
  }
  const incident = deps.random.token(12)
  deps.log.error('request failed', { operation, incident, error })
  return new HttpResponse({
    status: 500,
    body: {
      errcode: 'M_UNKNOWN',
      error: `Something went wrong in this server. Its operator finds the cause in the log under ${incident}`,
    },
  })
}
