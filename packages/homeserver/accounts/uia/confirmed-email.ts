import type { UiaProof } from './with-uia.ts'

/** An address that a stage proved. */
export interface ConfirmedEmail {
  readonly sid: string
  readonly address: string
  readonly validatedTs: number
}

/** What `m.login.email.identity` proved; undefined where it was not among the stages. */
export function confirmedEmail(proof: UiaProof): ConfirmedEmail | undefined {
  const proven = proof.get('m.login.email.identity') as
    | { readonly sid: string; readonly address: string; readonly validated_ts: number }
    | undefined
  if (proven === undefined) return undefined
  return { sid: proven.sid, address: proven.address, validatedTs: proven.validated_ts }
}
