// Configuration of the OHIF viewer for the films that `pneumoscope serve` has open. Copy it over OHIF's own app-config.js.
//
// The token stands in the fragment of OHIF's address, as in http://127.0.0.1:3000/#token=…: a browser sends a fragment to no server
// and writes it into no Referer. From here it goes into the header Authorization of the requests to the service, and nowhere else.

/** Where `pneumoscope serve --port 8042 --allow-origin http://127.0.0.1:3000` answers. */
const dicomweb = 'http://127.0.0.1:8042/dicomweb';

const tokenName = 'pneumoscope-token';
const stated = new URLSearchParams(window.location.hash.slice(1)).get('token');
if (stated) {
  window.sessionStorage.setItem(tokenName, stated); // of this tab only; a reload finds it again
  window.history.replaceState(null, '', window.location.pathname + window.location.search);
}
const token = stated || window.sessionStorage.getItem(tokenName) || '';

/** Sends the token with every request of OHIF's data source and image loader. */
const pneumoscopeToken = {
  id: 'pneumoscope-token',
  preRegistration({ servicesManager }) {
    servicesManager.services.userAuthenticationService.setServiceImplementation({
      getAuthorizationHeader: () => ({ Authorization: `Bearer ${token}` }),
    });
  },
};

window.config = {
  name: 'pneumoscope',
  routerBasename: null,
  extensions: [pneumoscopeToken],
  modes: [],
  customizationService: {},
  showStudyList: true,
  maxNumberOfWebWorkers: 3,
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  defaultDataSourceName: 'pneumoscope',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'pneumoscope',
      configuration: {
        friendlyName: 'Films that pneumoscope serve has open',
        name: 'pneumoscope',
        qidoRoot: dicomweb,
        wadoRoot: dicomweb,
        wadoUriRoot: dicomweb,
        qidoSupportsIncludeField: false,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        imageRendering: 'wadors',
        thumbnailRendering: 'thumbnail', // by the server, in the grey levels of the film
        thumbnailRequestStrategy: 'fetch', // with the token
        enableStudyLazyLoad: true,
        bulkDataURI: { enabled: true },
        omitQuotationForMultipartRequest: true,
      },
    },
  ],
};
