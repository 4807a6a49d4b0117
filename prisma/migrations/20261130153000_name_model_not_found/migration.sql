-- `provider_error` meant this too. Routes that name it go on after what they did.
UPDATE routes SET fallback_on = fallback_on || '{model_not_found}'::text[] WHERE 'provider_error' = ANY (fallback_on);
