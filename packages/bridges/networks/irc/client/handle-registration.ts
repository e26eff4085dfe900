import { classifyError } from './disconnect-reason.ts'
import type { DisconnectReason } from './events.ts'
import type { Handler, Incoming } from './incoming.ts'
import { isOwnNick } from './incoming.ts'
import { applyIsupport } from './isupport.ts'
import { buildSaslResponse } from './sasl.ts'
import type { Session } from './session.ts'
import { parseSource } from './source.ts'

const MAX_NICK_ATTEMPTS = 50

/** The nick length the server told on an earlier connection is the caller's to keep; here only this one's is known. */
function proposeNick(session: Session): void {
  const { nickCandidates } = session.options
  const known = session.isupport.tokens.has('NICKLEN') ? session.isupport.nickLength : undefined
  const nick =
    session.nickAttempt < MAX_NICK_ATTEMPTS ? nickCandidates(session.nickAttempt++, known) : undefined
  if (nick === undefined) session.close('nick-refused', 'the server takes none of the nicks')
  else session.writeUrgent('NICK', nick)
}

/** The first lines. NICK and USER follow at once: a server without CAP would otherwise wait for ever. */
export function startRegistration(session: Session): void {
  const { server, username, realname } = session.options
  session.writeUrgent('CAP', 'LS', '302')
  if (server.password !== undefined) session.writeUrgent('PASS', server.password)
  proposeNick(session)
  session.writeUrgent('USER', username, '0', '*', realname)
}

function finishNegotiation(session: Session): void {
  session.writeUrgent('CAP', 'END')
}

function startSasl(session: Session): void {
  const { sasl } = session.options
  if (sasl === undefined) return finishNegotiation(session)
  const { capabilities } = session
  if (capabilities.agreed.has('sasl') && capabilities.offersSasl(sasl.mechanism)) {
    session.writeUrgent('AUTHENTICATE', sasl.mechanism)
  } else if (sasl.required)
    session.close('sasl-unavailable', `the server does not offer SASL ${sasl.mechanism}`)
  else finishNegotiation(session)
}

const onCap: Handler = (session, { params }) => {
  const wasNegotiating = session.state === 'registering' && session.nick === ''
  const result = session.capabilities.handle(params)
  for (const request of result.requests) session.writeUrgent('CAP', 'REQ', request)
  if (wasNegotiating && result.isSettled) startSasl(session)
  if (session.state === 'registered' && result.isChanged) {
    session.emit({ type: 'capabilities', capabilities: new Set(session.capabilities.agreed) })
  }
}

const onAuthenticate: Handler = (session, { params }) => {
  const { sasl } = session.options
  if (sasl === undefined || session.state !== 'registering' || params[0] !== '+') return
  for (const chunk of buildSaslResponse(sasl)) session.writeUrgent('AUTHENTICATE', chunk)
}

const onSaslFailed: Handler = (session, { command, params }) => {
  if (session.state !== 'registering' || session.options.sasl === undefined) return
  if (session.options.sasl.required) session.close('sasl-failed', `${command} ${params.at(-1) ?? ''}`)
  else finishNegotiation(session)
}

const onSaslDone: Handler = (session) => {
  session.account ??= ''
  finishNegotiation(session)
}

function learnOwnMask(session: Session, mask: string): void {
  const source = parseSource(mask)
  if (!isOwnNick(session, source.nick)) return
  session.user = source.user ?? session.user
  session.host = source.host ?? session.host
}

/** The server may have cut the nick, so its word counts. The PING marks the end of what it says about itself. */
const onWelcome: Handler = (session, { params }) => {
  const { sasl, userModes } = session.options
  if (session.state !== 'registering') return
  if (sasl?.required === true && session.account === undefined) {
    session.close('sasl-unavailable', 'the server let us in without SASL')
    return
  }
  session.nick = params[0] ?? ''
  learnOwnMask(session, (params.at(-1) ?? '').split(' ').at(-1) ?? '')
  if (userModes !== undefined) session.writeUrgent('MODE', session.nick, userModes)
  session.writeUrgent('PING', `${session.prefix}ready`)
}

const onNickRefused: Handler = (session) => {
  if (session.state === 'registering' && session.nick === '') proposeNick(session)
}

const leaving =
  (reason: DisconnectReason, isOnlyBefore: boolean): Handler =>
  (session, { params }) => {
    if (isOnlyBefore && session.state !== 'registering') return
    session.farewell ??= { reason, detail: params.at(-1) ?? '' }
  }

const onError: Handler = (session, { params }) => {
  const text = params.at(-1) ?? ''
  if (session.isQuitting) session.close('quit', text)
  else session.close(session.farewell?.reason ?? classifyError(text), text)
}

const onKill: Handler = (session, { params, context }) => {
  if (!isOwnNick(session, params[0] ?? '')) return
  session.farewell = { reason: 'killed', detail: `killed by ${context.from.nick}: ${params.at(-1) ?? ''}` }
}

const onPong: Handler = (session, { params }) => {
  const token = params.at(-1) ?? ''
  if (token === `${session.prefix}ready`) session.becomeRegistered()
  else session.deliveries.ponged(token)
}

function onHost(session: Session, { params }: Incoming): void {
  const visible = params[1] ?? ''
  const at = visible.indexOf('@')
  if (at !== -1) session.user = visible.slice(0, at)
  session.host = visible.slice(at + 1)
}

export const REGISTRATION_HANDLERS: readonly (readonly [string, Handler])[] = [
  ['CAP', onCap],
  ['AUTHENTICATE', onAuthenticate],
  ['PING', (session, { params }) => session.writeUrgent('PONG', ...params.slice(0, 2))],
  ['PONG', onPong],
  ['ERROR', onError],
  ['KILL', onKill],
  ['001', onWelcome],
  [
    '005',
    (session, { params }) => session.learnIsupport(applyIsupport(session.isupport, params.slice(1, -1))),
  ],
  ['376', (session) => session.becomeRegistered()],
  ['422', (session) => session.becomeRegistered()],
  ['396', onHost],
  ['432', onNickRefused],
  ['433', onNickRefused],
  ['436', onNickRefused],
  ['437', onNickRefused],
  ['463', leaving('banned', true)],
  ['464', leaving('password-refused', true)],
  ['465', leaving('banned', false)],
  ['900', (session, { params }) => void (session.account = params[2] ?? '')],
  ['902', onSaslFailed],
  ['903', onSaslDone],
  ['904', onSaslFailed],
  ['905', onSaslFailed],
  ['906', onSaslFailed],
  ['907', onSaslDone],
]
