import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.util.List;

/**
 * The Arrow Flight SQL JDBC driver against a server with TLS and credentials:
 * {@code FlightJdbcAuth HOST:PORT CERTIFICATE.pem TOKEN USER PASSWORD}.
 */
public final class FlightJdbcAuth {
    private FlightJdbcAuth() {}

    public static void main(String[] arguments) {
        String trust = "tlsRootCerts=" + text(arguments[1]);
        String waive = "disableCertificateVerification=true";
        String token = "token=" + text(arguments[2]);
        String user = "user=" + text(arguments[3]) + "&password=" + text(arguments[4]);
        String address = arguments[0];
        Checks checks = new Checks();
        for (String good : List.of(trust + "&" + token, trust + "&" + user, waive + "&" + token, waive + "&" + user)) {
            checks.check("connects with " + good.replaceAll("=[^&]*", ""), () -> one(address, good));
        }
        checks.check("a query beside another keeps the user", () -> {
            try (Connection db = connect(address, trust + "&" + user)) {
                for (int number = 0; number < 10; number++) {
                    one(db);
                }
            }
        });
        String wrong = "user=" + text(arguments[3]) + "&password=wrong";
        for (String bad : List.of(trust, trust + "&token=wrong", trust + "&" + wrong, trust + "&user=nobody&password=x")) {
            checks.check("is refused with " + bad.replaceAll("tlsRootCerts=[^&]*", ""), () -> {
                String message = Checks.fails(() -> one(address, bad));
                Checks.holds(message, message.toUpperCase().contains("UNAUTHENTICATED"));
            });
        }
        checks.check("an unknown certificate is not trusted", () -> Checks.fails(() -> one(address, token)));
        checks.check("a server with TLS is not reached without", () ->
            Checks.fails(() -> one(address, "useEncryption=false&" + token)));
        checks.end();
    }

    private static Connection connect(String address, String options) throws Exception {
        return DriverManager.getConnection("jdbc:arrow-flight-sql://" + address + "/?" + options);
    }

    private static void one(String address, String options) throws Exception {
        try (Connection db = connect(address, options)) {
            one(db);
        }
    }

    private static void one(Connection db) throws Exception {
        try (Statement statement = db.createStatement()) {
            Checks.same(List.of(1L), Checks.column(statement.executeQuery("SELECT 1"), 1));
        }
    }

    private static String text(String value) {
        return URLEncoder.encode(value, StandardCharsets.UTF_8);
    }
}
