/** How the processes of a stack write what Temporal keeps. */
import type { DataConverter } from '@temporalio/common';
import { z } from 'zod';
import { payloadSettings } from '../../src/config/payload-settings';
import { createDataConverter } from '../../src/observability/payload-codec';

/** @param environment of these processes @throws ZodError when its payload keys are none */
export function payloadConverter(environment: Readonly<Record<string, string | undefined>>): DataConverter {
  return createDataConverter(z.object(payloadSettings).parse(environment));
}
