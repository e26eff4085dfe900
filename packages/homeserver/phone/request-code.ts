import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { invalidParam, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { dropAddressSession } from '@causeway/store/tables/address-sessions.ts'
import { beginSession, type Sending, type SessionRequest } from '../addresses/begin-session.ts'
import { publicBaseUrl } from '../config.ts'
import type { Homeserver } from '../homeserver.ts'
import { createCode } from './code.ts'
import { readPhoneNumber } from './read-phone-number.ts'
import { SmsFailed, SmsRefused } from './sms-hook.ts'
import { codeText, hasAccountText, type TextFacts } from './texts.ts'

type Deps = Pick<Homeserver, 'db' | 'clock' | 'random' | 'config' | 'serverName' | 'sms'>

/** A client wants somebody to prove that a number is theirs. */
export interface CodeRequest extends Omit<SessionRequest, 'medium' | 'address'> {
  readonly country: string
  readonly phoneNumber: string
}

/** Where a client sends the code that somebody typed. */
export const SUBMIT_PATH = '/_causeway/phone'
/** How long a code is good, and what it confirmed. */
export const PHONE_SESSION_MS = 30 * 60_000

/**
 * Begins a session and has a text message sent for it, unless the client asks again for the same one. Throws
 * `M_INVALID_PARAM`, `M_THREEPID_DENIED`, `M_LIMIT_EXCEEDED`, `M_SEND_ERROR`.
 * @returns the answer, with what clients show beside what the specification names
 */
export async function requestCode(
  hs: Deps,
  { country, phoneNumber, ...request }: CodeRequest,
): Promise<JsonObject> {
  const number = await readPhoneNumber(country, phoneNumber)
  if (number === undefined)
    throw invalidParam('phone_number must be a telephone number, as dialled from country or beginning with +')
  const refusal = hs.sms.refusalOf(number)
  if (refusal !== undefined) throw new MatrixError('M_THREEPID_DENIED', refusal)
  const { msisdn, intlFormat } = number
  const code = createCode(hs.random)
  const { sid, sending } = await beginSession(
    hs,
    { ...request, medium: 'msisdn', address: msisdn },
    { secret: code, lifetimeMs: PHONE_SESSION_MS, takeTurn: () => hs.sms.takeTurn(msisdn) },
  )
  if (sending !== undefined && sending.kind !== 'nothing')
    await sendText(hs, { sid, msisdn, sending, purpose: request.purpose, code })
  const submitUrl = publicBaseUrl(hs.config) + SUBMIT_PATH
  return { sid, success: true, msisdn, intl_fmt: intlFormat, submit_url: submitUrl }
}

interface Text extends Omit<TextFacts, 'userId'> {
  readonly sid: string
  readonly msisdn: string
  readonly sending: Exclude<Sending, { kind: 'nothing' }>
}

/**
 * Where a password is to be reset there is a message only if the number is somebody's: it leaves in the background, so that
 * neither its time nor its failure tells that. All others are waited for.
 */
async function sendText(hs: Deps, { sid, msisdn, sending, purpose, code }: Text): Promise<void> {
  const { kind, userId } = sending
  const about = { id: hs.random.token(16), to: `+${msisdn}`, purpose }
  const message =
    kind === 'proof'
      ? { ...about, text: codeText(hs.serverName, { code, purpose, userId }), code }
      : { ...about, text: hasAccountText(hs.serverName, userId) }
  if (purpose === 'reset') return hs.sms.send(message)
  try {
    await hs.sms.deliver(message)
  } catch (error) {
    // The client has no code to show: its next request begins anew, whatever send_attempt it has.
    await hs.db.commit({ entries: [], steps: [dropAddressSession(sid)] })
    throw refusalFor(error)
  }
}

function refusalFor(error: unknown): unknown {
  if (error instanceof SmsRefused)
    return new MatrixError(
      'M_THREEPID_DENIED',
      'This number cannot be sent a text message; use another one',
      {
        cause: error,
      },
    )
  if (!(error instanceof SmsFailed)) return error
  const text =
    'The text message could not be sent; try again in some minutes, or tell the administrators of this server'
  return new MatrixError('M_SEND_ERROR', text, { cause: error })
}
