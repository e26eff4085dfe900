import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { HomeserverConfig } from '../config.ts'
import type { UiaOffer } from './uia/challenge.ts'
import type { UiaStage } from './uia/sessions.ts'

type Config = Pick<HomeserverConfig, 'registration' | 'email'>

const EMAIL: UiaStage = 'm.login.email.identity'

/**
 * How people may make accounts by themselves. Throws `M_FORBIDDEN` where they may not: then an administrator
 * makes the account, or hands out a link.
 */
export function registrationOffer({ registration, email }: Config): UiaOffer {
  const { mode, terms } = registration
  if (mode === 'closed') {
    throw forbidden('Registration is closed here: ask an administrator of this server for an invitation link')
  }
  const stages: UiaStage[] = [
    ...(mode === 'token' ? (['m.login.registration_token'] as const) : []),
    ...(terms.length > 0 ? (['m.login.terms'] as const) : []),
  ]
  return {
    flows: flowsOf(stages, email),
    params: terms.length === 0 ? {} : { 'm.login.terms': { policies: policiesOf(registration.terms) } },
  }
}

/** With an address, which may or must be given where mail is sent; without one first, since clients take the first. */
function flowsOf(
  stages: readonly UiaStage[],
  { host, required_for_registration: isRequired }: Config['email'],
) {
  const plain: UiaStage[] = stages.length === 0 ? ['m.login.dummy'] : [...stages]
  if (host === undefined) return [plain]
  return isRequired ? [[EMAIL, ...stages]] : [plain, [EMAIL, ...stages]]
}

/** https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration */
function policiesOf(terms: Config['registration']['terms']): JsonObject {
  const policies: Record<string, Record<string, JsonObject | string>> = {}
  for (const { id, version, language, name, url } of terms) {
    const policy = (policies[id] ??= { version })
    policy[language] = { name, url }
  }
  return policies
}

/** What somebody who accepts the documents agreed to: id → version. */
export function acceptedTerms({
  registration,
}: Pick<Config, 'registration'>): Record<string, string> | undefined {
  const { terms } = registration
  return terms.length === 0 ? undefined : Object.fromEntries(terms.map(({ id, version }) => [id, version]))
}
