import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import type { HomeserverConfig } from '../config.ts'
import type { UiaOffer } from './uia/challenge.ts'
import { ADDRESS_STAGES } from './uia/confirmed-addresses.ts'
import type { UiaStage } from './uia/sessions.ts'

type Config = Pick<HomeserverConfig, 'registration' | 'email' | 'sms'>

/**
 * How people may make accounts by themselves. Throws `M_FORBIDDEN` where they may not: then an administrator
 * makes the account, or hands out a link.
 */
export function registrationOffer(config: Config): UiaOffer {
  const { mode, terms } = config.registration
  if (mode === 'closed') {
    throw forbidden('Registration is closed here: ask an administrator of this server for an invitation link')
  }
  const stages: UiaStage[] = [
    ...(mode === 'token' ? (['m.login.registration_token'] as const) : []),
    ...(terms.length > 0 ? (['m.login.terms'] as const) : []),
  ]
  return {
    flows: flowsOf(stages, config),
    params: terms.length === 0 ? {} : { 'm.login.terms': { policies: policiesOf(terms) } },
  }
}

/**
 * With addresses, which may or must be given where mail or text messages are sent, every choice in a flow of its own;
 * without first, since clients take the first.
 */
function flowsOf(stages: readonly UiaStage[], { email, sms }: Config): UiaStage[][] {
  const addresses = [
    { ...email, stage: ADDRESS_STAGES.email, isThere: email.host !== undefined },
    { ...sms, stage: ADDRESS_STAGES.msisdn, isThere: sms.url !== undefined },
  ]
  let flows: UiaStage[][] = [[]]
  for (const { stage, isThere, required_for_registration: isRequired } of addresses) {
    if (!isThere) continue
    const longer = flows.map((flow) => [...flow, stage])
    flows = isRequired ? longer : [...flows, ...longer]
  }
  return flows.map((flow) => {
    const whole = [...flow, ...stages]
    return whole.length === 0 ? ['m.login.dummy'] : whole
  })
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
