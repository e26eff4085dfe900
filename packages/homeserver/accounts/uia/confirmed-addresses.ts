import type { Medium } from '@causeway/store/tables/threepids.ts'
import type { UiaStage } from './sessions.ts'
import type { UiaProof } from './with-uia.ts'

/** An address that a stage proved, and the session that is used up with it. */
export interface ConfirmedAddress {
  readonly sid: string
  readonly medium: Medium
  readonly address: string
  readonly validatedTs: number
}

/** The stages that prove an address. https://spec.matrix.org/v1.19/client-server-api/#authentication-types */
export const ADDRESS_STAGES = {
  email: 'm.login.email.identity',
  msisdn: 'm.login.msisdn',
} as const satisfies Record<Medium, UiaStage>

const MEDIA = Object.keys(ADDRESS_STAGES) as Medium[]

/** What was proven of addresses; empty where no such stage was among those completed. */
export function confirmedAddresses(proof: UiaProof): ConfirmedAddress[] {
  return MEDIA.flatMap((medium) => {
    const proven = proof.get(ADDRESS_STAGES[medium]) as
      | { readonly sid: string; readonly address: string; readonly validated_ts: number }
      | undefined
    if (proven === undefined) return []
    return [{ sid: proven.sid, medium, address: proven.address, validatedTs: proven.validated_ts }]
  })
}
